import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import relay from "relay-runtime";

import { connected } from "./connections/relay.mjs";
import { watchedBy } from "./connections/relay-events.mjs";
import { goThrough, url } from "./scenarios.mjs";
import { Stream } from "./stream.mjs";

const { Environment, Network, RecordSource, Store } = relay;
const { commitMutation, createOperationDescriptor, fetchQuery, getSelector, requestSubscription } = relay;
const required = createRequire(import.meta.url);
const compiled = (name) => required(`./relay/__generated__/operations${name}.graphql.js`);
const persisted = JSON.parse(readFileSync(new URL("./persisted.json", import.meta.url)));

/** The compiled operation that stands for a text of `operations.mjs`. */
const standing = (text) => {
  const [, way, name] = /^(\w+) (\w+)/.exec(text);
  return [way, compiled(name + way[0].toUpperCase() + way.slice(1))];
};

/** What a query answers; a field with `@catch` holds the errors that belong to it, their paths begin beneath it. */
const fetched = async (environment, query, variables) => {
  const data = await fetchQuery(environment, query, variables).toPromise();
  const errors = Object.entries(data).flatMap(([key, field]) =>
    (field?.errors ?? []).map((error) => ({ ...error, path: [key, ...(error.path ?? [])] })),
  );
  return { data, errors: errors.length ? errors : undefined };
};

const committed = (environment, mutation, variables) =>
  new Promise((over, fail) => {
    const onCompleted = (data, errors) => over({ data, errors });
    commitMutation(environment, { mutation, variables, onCompleted, onError: fail });
  });

const asked = (environment, text, variables = {}) => {
  const [way, operation] = standing(text);
  return (way === "mutation" ? committed : fetched)(environment, operation, variables);
};

const watched = (environment, text, variables) => {
  const [, subscription] = standing(text);
  const stream = new Stream();
  const onNext = (data) => stream.push({ data });
  const onError = (error) => {
    if (!error.source) return stream.fail(error);
    stream.push({ errors: error.source.errors });
    stream.end();
  };
  requestSubscription(environment, { subscription, variables, onNext, onCompleted: stream.end, onError });
  return stream;
};

/** The first page, and the second one by the query that the compiler made for the connection. */
const pages = async (environment) => {
  const [page, next, fragment] = ["PageQuery", "NextPageQuery", "_page"].map(compiled);
  const operation = createOperationDescriptor(page, {});
  environment.retain(operation);
  await fetchQuery(environment, page, {}).toPromise();
  const read = () => {
    const { data } = environment.lookup(operation.fragment);
    return environment.lookup(getSelector(fragment, data)).data.estimates;
  };
  await fetchQuery(environment, next, { first: 2, after: read().pageInfo.endCursor }).toPromise();
  return read().edges.map((edge) => edge.node.number);
};

/** A record by its id, then again by the query that the compiler made for its fragment. */
const node = async (environment, id) => {
  const [query, again, fragment] = ["NodeQuery", "EstimateQuery", "_estimate"].map(compiled);
  const operation = createOperationDescriptor(query, { id });
  environment.retain(operation);
  const { node: first } = await fetchQuery(environment, query, { id }).toPromise();
  await fetchQuery(environment, again, { id }).toPromise();
  return environment.lookup(getSelector(fragment, first.estimate)).data;
};

const overEvents = (token) =>
  new Environment({ network: Network.create(() => null, watchedBy(url, token)), store: new Store(new RecordSource()) });

await goThrough((token) => {
  const environment = connected(url, token);
  return {
    ask: (text, variables) => asked(environment, text, variables),
    pages: () => pages(environment),
    node: (id) => node(environment, id),
    byId: (text) => asked(environment, text),
    taken: persisted,
    socket: (text, variables) => watched(environment, text, variables),
    events: (text, variables) => watched(overEvents(token), text, variables),
  };
});
