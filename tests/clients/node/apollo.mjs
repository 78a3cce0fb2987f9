import { ApolloClient, ApolloLink, InMemoryCache, gql } from "@apollo/client";
import { OperationTypeNode } from "graphql";

import { connected } from "./connections/apollo.mjs";
import { byId } from "./connections/apollo-documents.mjs";
import { EventsLink } from "./connections/apollo-events.mjs";
import { digest } from "./digest.mjs";
import { ESTIMATES, NAMED } from "./operations.mjs";
import { goThrough, url } from "./scenarios.mjs";
import { Stream } from "./stream.mjs";

const answer = ({ data, error }) => ({ data, errors: error?.errors ?? (error && [{ message: String(error) }]) });

const asked = async (client, text, variables) => {
  const document = gql(text);
  const mutation = document.definitions[0].operation === OperationTypeNode.MUTATION;
  const options = { variables, errorPolicy: "all" };
  return answer(
    await (mutation
      ? client.mutate({ mutation: document, ...options })
      : client.query({ query: document, fetchPolicy: "network-only", ...options })),
  );
};

const watched = (client, text, variables) => {
  const stream = new Stream();
  const next = (result) => stream.push(answer(result));
  client.subscribe({ query: gql(text), variables, errorPolicy: "all" }).subscribe({ ...stream.sink, next });
  return stream;
};

const pages = async (client) => {
  const watching = client.watchQuery({ query: gql(ESTIMATES), variables: { first: 2 } });
  const results = new Stream();
  watching.subscribe(results.sink);
  for await (const { data, loading } of results) {
    if (loading) continue;
    const { edges, pageInfo } = data.estimates;
    if (edges.length > 2) return edges.map(({ node }) => node.number);
    await watching.fetchMore({ variables: { first: 2, after: pageInfo.endCursor } });
  }
};

const overEvents = (token) =>
  new ApolloClient({
    link: ApolloLink.from([
      new EventsLink({ url, headers: async () => ({ authorization: `Bearer ${await token()}` }) }),
    ]),
    cache: new InMemoryCache(),
  });

await goThrough((token) => {
  const client = connected(url, token);
  const trusting = new ApolloClient({ link: byId(url, token), cache: new InMemoryCache({ addTypename: false }) });
  return {
    ask: (text, variables) => asked(client, text, variables),
    pages: () => pages(client),
    taken: digest(NAMED),
    fallsBack: true,
    byId: (text) => asked(trusting, text),
    socket: (text, variables) => watched(client, text, variables),
    events: (text, variables) => watched(overEvents(token), text, variables),
    close: () => client.stop(),
  };
});
