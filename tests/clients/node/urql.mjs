import { parse } from "graphql";

import { connected } from "./connections/urql.mjs";
import { byId } from "./connections/urql-documents.mjs";
import { connected as overEvents } from "./connections/urql-events.mjs";
import { digest } from "./digest.mjs";
import { ESTIMATES, NAMED } from "./operations.mjs";
import { goThrough, url } from "./scenarios.mjs";
import { Stream } from "./stream.mjs";

const answer = ({ data, error }) => ({
  data,
  errors: error && (error.graphQLErrors.length ? error.graphQLErrors : [{ message: String(error) }]),
});
const NETWORK = { requestPolicy: "network-only" };

const asked = async (client, text, variables = {}) => {
  const way = parse(text).definitions[0].operation;
  return answer(await client[way](text, variables, NETWORK).toPromise());
};

async function* watched(client, text, variables) {
  const stream = new Stream();
  const { unsubscribe } = client.subscription(text, variables).subscribe((result) => {
    stream.push(answer(result));
    if (!result.hasNext) stream.end();
  });
  try {
    yield* stream;
  } finally {
    unsubscribe();
  }
}

const pages = async (client) => {
  const first = await client.query(ESTIMATES, { first: 2 }).toPromise();
  const after = first.data.estimates.pageInfo.endCursor;
  const both = await client.query(ESTIMATES, { first: 2, after }).toPromise();
  return both.data.estimates.edges.map(({ node }) => node.number);
};

await goThrough((token) => {
  const client = connected(url, token, token);
  return {
    ask: (text, variables) => asked(client, text, variables),
    pages: () => pages(client),
    taken: digest(NAMED),
    fallsBack: true,
    byId: (text) => asked(byId(url, token), text),
    socket: (text, variables) => watched(client, text, variables),
    events: (text, variables) => watched(overEvents(url, token), text, variables),
  };
});
