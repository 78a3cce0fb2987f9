import { connected } from "./connections/graphql-sse.mjs";
import { digest } from "./digest.mjs";
import { NAMED } from "./operations.mjs";
import { goThrough, url } from "./scenarios.mjs";

const once = async (client, request) => (await client.iterate(request).next()).value;

await goThrough((token) => {
  const client = connected(url, token);
  return {
    ask: (query, variables) => once(client, { query, variables }),
    taken: digest(NAMED),
    byId: (query) => {
      const [sha256Hash] = Object.keys(digest(query));
      const text = query === NAMED ? "" : query;
      return once(client, { query: text, extensions: { persistedQuery: { version: 1, sha256Hash } } });
    },
    events: (query, variables) => client.iterate({ query, variables }),
    comesBack: true,
    close: () => client.dispose(),
  };
});
