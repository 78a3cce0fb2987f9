import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from "@apollo/client";
import { SetContextLink } from "@apollo/client/link/context";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { relayStylePagination } from "@apollo/client/utilities";
import { OperationTypeNode } from "graphql";
import { createClient } from "graphql-ws";

const typePolicies = {
  Query: { fields: { estimates: relayStylePagination(["where"]) } },
  Live: { subscriptionType: true }, // a Subscription is a finance record here
};

/** `token` is called before every request and at every connection, so it may renew itself. */
export const connected = (url, token) => {
  const signed = async () => ({ authorization: `Bearer ${await token()}` });
  const http = new SetContextLink(async ({ headers }) => ({ headers: { ...headers, ...(await signed()) } }));
  const socket = createClient({ url: url.replace(/^http/, "ws"), connectionParams: signed });
  const link = ApolloLink.split(
    ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
    new GraphQLWsLink(socket),
    http.concat(new HttpLink({ uri: url })),
  );
  return new ApolloClient({ link, cache: new InMemoryCache({ typePolicies }) });
};
