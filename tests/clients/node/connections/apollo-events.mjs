import { ApolloLink, Observable } from "@apollo/client";
import { print } from "graphql";
import { createClient } from "graphql-sse";

/** Live operations over server-sent events: put it where the GraphQLWsLink stands. */
export class EventsLink extends ApolloLink {
  constructor(options) {
    super();
    this.client = createClient(options);
  }

  request({ query, variables, operationName }) {
    return new Observable((sink) =>
      this.client.subscribe(
        { query: print(query), variables, operationName },
        { next: sink.next.bind(sink), complete: sink.complete.bind(sink), error: sink.error.bind(sink) },
      ),
    );
  }
}
