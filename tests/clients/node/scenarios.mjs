// What every client goes through. A client is {ask, watch, …} made by `open(token)`; see the table of `scenarios`.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

import { WebSocket } from "ws";

import { ask, say } from "./desk.mjs";
import { ADDRESSED, CHANGED, ESTIMATES, MISSING, NAMED, RECORDS, UPDATE } from "./operations.mjs";

globalThis.WebSocket ??= WebSocket; // Node has one of its own from 22 on
const PATIENCE = 20_000;
const ESTIMATES_ONLY = { modules: ["ESTIMATES"] };
export const url = process.env.GATEWAY_URL;
const { token: LONG, estimate: DRAFT, missing: NOBODY } = await ask("begin");
const forever = () => LONG;

/** A token of a few seconds first, then one that lasts; and what has been given out. */
const soonOver = async () => {
  const given = [];
  const short = (await ask("token", { seconds: 2 })).token;
  const token = () => given[given.push(given.length ? LONG : short) - 1];
  return { token, given };
};

const heard = async (events) => {
  for (;;) {
    const { value, done } = await events.next();
    assert(!done, "the live operation has ended");
    assert(!value.errors, JSON.stringify(value.errors));
    if (value.data.documentChanged.documentId === DRAFT) return value.data.documentChanged;
  }
};

/** The next event, while something happens again and again. */
const heardOfChanges = async (events) => {
  const coming = heard(events);
  coming.catch(() => {}); // whoever waits for it is told
  const pause = () => new Promise((over) => setTimeout(over, 400));
  for (let over = false; !over; ) {
    await ask("change");
    over = await Promise.race([coming.then(() => true), pause()]);
  }
  return coming;
};

const watched = async (client, way) => {
  const events = client[way](CHANGED, ESTIMATES_ONLY)[Symbol.asyncIterator]();
  const event = await heardOfChanges(events);
  assert.deepEqual([event.module, event.change, event.document.id], ["ESTIMATES", "UPDATED", DRAFT]);
  return events;
};

const query = async ({ ask }) => {
  const { data } = await ask(ESTIMATES, { first: 2 });
  assert.equal(data.estimates.edges.length, 2);
};

const mutation = async ({ ask }) => {
  const input = { date: "2026-11-20", expiryDate: "2026-11-19" };
  const refused = (await ask(UPDATE, { id: DRAFT, input, key: randomUUID() })).data.estimateUpdate;
  assert.equal(refused.outcome, "REJECTED");
  assert.deepEqual(refused.userErrors[0].field, ["input", "expiryDate"]);
  const notes = randomUUID();
  const applied = (await ask(UPDATE, { id: DRAFT, input: { notes }, key: randomUUID() })).data.estimateUpdate;
  assert.deepEqual([applied.outcome, applied.userErrors], ["APPLIED", []]);
  if (applied.estimate.notes !== undefined) assert.equal(applied.estimate.notes, notes);
};

const error = async ({ ask }) => {
  const [told] = (await ask(MISSING, { id: NOBODY })).errors;
  assert.deepEqual([told.extensions.code, told.path], ["NOT_FOUND", ["invoice"]]);
};

const records = async ({ ask }) => {
  const { nodes } = (await ask(RECORDS, { first: 5 })).data.subscriptions;
  assert.equal(new Set(nodes.map((node) => node.id)).size, 5);
};

const node = async ({ node }) => {
  const read = await node(DRAFT);
  assert.ok(read.number);
  assert.equal((await node(DRAFT)).number, read.number);
};

const pages = async ({ pages }) => {
  const numbers = await pages();
  assert.deepEqual([numbers.length, new Set(numbers).size], [4, 4]);
};

/** A document that was taken in is sent by its id alone. */
const documents = async ({ byId, taken }) => {
  await ask("trust", { documents: taken });
  assert.ok((await byId(NAMED)).data.viewer.name);
};

/** Another one is asked for by its id, and sent when that is not known. */
const unknown = async ({ byId }) => {
  assert.equal((await byId(ADDRESSED)).data.viewer.email, "owner@demo.example");
};

const left = async (events, client) => {
  await events.return?.();
  await client.close?.();
};

const watching = (way) => async (client) => left(await watched(client, way), client);

const reconnecting = (way) => async (client) => {
  const events = await watched(client, way);
  await ask("restart");
  await heardOfChanges(events);
  await left(events, client);
};

/** The socket comes back with another token, and nobody notices. */
const renewing = async (_, open) => {
  const { token, given } = await soonOver();
  const client = open(token);
  const events = await watched(client, "socket");
  await new Promise((over) => setTimeout(over, 3000));
  await heardOfChanges(events);
  assert.equal(given.length, 2);
  await left(events, client);
};

/** The end of the token is told; with another one the operation begins again. */
const ending = async (_, open) => {
  const client = open((await soonOver()).token);
  const events = await watched(client, "events");
  let last;
  for (let told = await events.next(); !told.done; told = await events.next()) last = told.value;
  assert.equal(last.errors[0].extensions.code, "UNAUTHENTICATED");
  await left(await watched(client, "events"), client);
};

const SCENARIOS = {
  "document by id": [documents, "byId"],
  query: [query, "ask"],
  "unknown id, then text": [unknown, "byId", "fallsBack"],
  "mutation, userErrors": [mutation, "ask"],
  "error, code and path": [error, "ask"],
  pages: [pages, "pages"],
  "node, read again": [node, "node"],
  "Subscription records": [records, "ask"],
  "live, WebSocket": [watching("socket"), "socket"],
  "live, SSE": [watching("events"), "events"],
  "server restarts, WebSocket": [reconnecting("socket"), "socket"],
  "server restarts, SSE": [reconnecting("events"), "events", "comesBack"],
  "token ends, WebSocket": [renewing, "socket"],
  "token ends, SSE": [ending, "events"],
};

const within = (play) => {
  const late = (_, fail) => setTimeout(() => fail(new Error("it takes too long")), PATIENCE).unref();
  return Promise.race([play, new Promise(late)]);
};

/** Go through all that a client can do, and say of each what was wrong, if anything. */
export const goThrough = async (open) => {
  for (const [scenario, [play, ...needed]] of Object.entries(SCENARIOS)) {
    const client = open(forever);
    if (!needed.every((need) => need in client)) continue;
    const problem = await within(play(client, open)).then(() => null, (error) => error.stack ?? JSON.stringify(error));
    say({ scenario, problem });
  }
  process.exit(0);
};
