import { createClient } from "graphql-ws";

/** `token` is called at every connection: when the token has ended the socket is closed with 4403, and the client comes back. */
export const connected = (url, token) =>
  createClient({
    url: url.replace(/^http/, "ws"),
    connectionParams: async () => ({ authorization: `Bearer ${await token()}` }),
  });
