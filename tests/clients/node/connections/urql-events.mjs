import { Client, fetchExchange } from "@urql/core";

/** Live operations over server-sent events, by the same exchange that fetches. */
export const connected = (url, token) =>
  new Client({
    url,
    exchanges: [fetchExchange],
    fetchSubscriptions: true,
    fetchOptions: () => ({ headers: { authorization: `Bearer ${token()}` } }),
  });
