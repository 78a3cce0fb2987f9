import { createClient } from "graphql-ws";
import relay from "relay-runtime";

const { Environment, Network, Observable, RecordSource, Store } = relay;

/** `token` is called before every request and at every connection, so it may renew itself. */
export const connected = (url, token) => {
  const signed = async () => ({ authorization: `Bearer ${await token()}` });
  const socket = createClient({ url: url.replace(/^http/, "ws"), connectionParams: signed });

  const fetched = async (operation, variables) => {
    const response = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...(await signed()) },
      body: JSON.stringify({ doc_id: operation.id, query: operation.text, variables }),
    });
    return response.json();
  };
  const watched = (operation, variables) =>
    Observable.create((sink) =>
      socket.subscribe({ documentId: operation.id, query: operation.text ?? "", variables }, sink),
    );
  return new Environment({ network: Network.create(fetched, watched), store: new Store(new RecordSource()) });
};
