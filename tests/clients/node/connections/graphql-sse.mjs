import { createClient } from "graphql-sse";

/** `token` is called for every operation, and whenever its stream was broken off. */
export const connected = (url, token) =>
  createClient({ url, headers: async () => ({ authorization: `Bearer ${await token()}` }) });
