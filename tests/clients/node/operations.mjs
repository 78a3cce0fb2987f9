export const ESTIMATES = `query Estimates($first: Int!, $after: String) {
  estimates(first: $first, after: $after) {
    edges { cursor node { id number } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}`;
export const RECORDS = `query Records($first: Int!) { subscriptions(first: $first) { nodes { id number } } }`;
export const MISSING = `query Missing($id: ID!) { invoice(id: $id) { number } }`;
export const UPDATE = `mutation Update($id: ID!, $input: EstimateUpdateInput!, $key: ID!) {
  estimateUpdate(id: $id, input: $input, idempotencyKey: $key) {
    outcome
    userErrors { code field message }
    estimate { id notes }
  }
}`;
export const CHANGED = `subscription Changed($modules: [Module!]) {
  documentChanged(modules: $modules) { module change documentId document { id number } }
}`;
export const NAMED = `query Named {
  viewer {
    name
  }
}`;
export const ADDRESSED = `query Addressed {
  viewer {
    email
  }
}`;
