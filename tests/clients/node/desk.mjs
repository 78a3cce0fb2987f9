// What a client's process has to do with the one that serves: lines of JSON, questions out and answers in.
import { createInterface } from "node:readline";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
let turn = Promise.resolve();

export const say = (fact) => process.stdout.write(`${JSON.stringify(fact)}\n`);

/** One question at a time; the answer to it. */
export const ask = (what, more = {}) => {
  turn = turn.then(async () => {
    say({ ask: what, ...more });
    return JSON.parse((await lines.next()).value);
  });
  return turn;
};
