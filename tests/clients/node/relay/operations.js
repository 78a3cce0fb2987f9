const { graphql } = require("relay-runtime");

exports.list = graphql`
  query operationsEstimatesQuery($first: Int!, $after: String) {
    estimates(first: $first, after: $after) {
      edges {
        cursor
        node {
          id
          number
        }
      }
    }
  }
`;
exports.page = graphql`
  query operationsPageQuery {
    ...operations_page
  }
`;
exports.estimates = graphql`
  fragment operations_page on Query
  @argumentDefinitions(first: { type: "Int", defaultValue: 2 }, after: { type: "String" })
  @refetchable(queryName: "operationsNextPageQuery") {
    estimates(first: $first, after: $after) @connection(key: "operations_estimates") {
      edges {
        node {
          id
          number
        }
      }
    }
  }
`;
exports.node = graphql`
  query operationsNodeQuery($id: ID!) {
    node(id: $id) {
      __typename
      id
      ...operations_estimate @alias(as: "estimate")
    }
  }
`;
exports.estimate = graphql`
  fragment operations_estimate on Estimate @refetchable(queryName: "operationsEstimateQuery") {
    number
    notes
  }
`;
exports.records = graphql`
  query operationsRecordsQuery($first: Int!) {
    subscriptions(first: $first) {
      nodes {
        id
        number
      }
    }
  }
`;
exports.missing = graphql`
  query operationsMissingQuery($id: ID!) {
    invoice(id: $id) @catch(to: RESULT) {
      number
    }
  }
`;
exports.named = graphql`
  query operationsNamedQuery {
    viewer {
      name
    }
  }
`;
exports.update = graphql`
  mutation operationsUpdateMutation($id: ID!, $input: EstimateUpdateInput!, $key: ID!) {
    estimateUpdate(id: $id, input: $input, idempotencyKey: $key) {
      outcome
      userErrors {
        code
        field
        message
      }
      estimate {
        id
        notes
      }
    }
  }
`;
exports.changed = graphql`
  subscription operationsChangedSubscription($modules: [Module!]) {
    documentChanged(modules: $modules) {
      module
      change
      documentId
      document {
        id
        number
      }
    }
  }
`;
