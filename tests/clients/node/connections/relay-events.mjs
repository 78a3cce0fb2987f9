import { createClient } from "graphql-sse";
import relay from "relay-runtime";

/** Live operations over server-sent events: the second argument of `Network.create`. */
export const watchedBy = (url, token) => {
  const client = createClient({ url, headers: async () => ({ authorization: `Bearer ${await token()}` }) });
  return (operation, variables) =>
    relay.Observable.create((sink) =>
      client.subscribe({ documentId: operation.id, query: operation.text ?? "", variables }, sink),
    );
};
