// Apollo Server 5 with dataloader: node apollo.mjs PORT ORIGIN
import { ApolloServer } from '@apollo/server'
import { startStandaloneServer } from '@apollo/server/standalone'
import DataLoader from 'dataloader'
import { Books, scalars, typeDefs } from './schema.mjs'

const [port, origin] = process.argv.slice(2)
const books = new Books(origin)
const resolvers = {
  ...scalars,
  Query: { invoices: (_, { first, where }) => books.invoices(first, where) },
  Invoice: { customer: (invoice, _, { customers }) => customers.load(invoice.customerId) }
}
const server = new ApolloServer({ typeDefs, resolvers, introspection: false, csrfPrevention: false })
await startStandaloneServer(server, {
  listen: { port: Number(port), host: '127.0.0.1' },
  context: async () => ({ customers: new DataLoader((ids) => books.customers(ids)) })
})
