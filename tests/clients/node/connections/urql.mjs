import { Client, fetchExchange, subscriptionExchange } from "@urql/core";
import { cacheExchange } from "@urql/exchange-graphcache";
import { relayPagination } from "@urql/exchange-graphcache/extras";
import { createClient } from "graphql-ws";

const roots = { queryType: { name: "Query" }, mutationType: { name: "Mutation" }, subscriptionType: { name: "Live" } };
const cache = () =>
  cacheExchange({
    schema: { __schema: roots }, // a Subscription is a finance record here
    resolvers: { Query: { estimates: relayPagination() } },
    keys: { Money: () => null },
  });

/** `token` answers at once with the present token; `renewed` fetches one, at every connection of the socket. */
export const connected = (url, token, renewed) => {
  const socket = createClient({
    url: url.replace(/^http/, "ws"),
    connectionParams: async () => ({ authorization: `Bearer ${await renewed()}` }),
  });
  const forwardSubscription = (request) => ({
    subscribe: (sink) => ({ unsubscribe: socket.subscribe({ ...request, query: request.query ?? "" }, sink) }),
  });
  return new Client({
    url,
    exchanges: [cache(), subscriptionExchange({ forwardSubscription }), fetchExchange],
    fetchOptions: () => ({ headers: { authorization: `Bearer ${token()}` } }),
  });
};
