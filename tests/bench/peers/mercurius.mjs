// Mercurius on Fastify, compiled operations on, its own loaders: node mercurius.mjs PORT ORIGIN
import Fastify from 'fastify'
import mercurius from 'mercurius'
import { Books, scalars, typeDefs } from './schema.mjs'

const [port, origin] = process.argv.slice(2)
const books = new Books(origin)
const app = Fastify()
app.register(mercurius, {
  schema: typeDefs,
  resolvers: { ...scalars, Query: { invoices: (_, { first, where }) => books.invoices(first, where) } },
  loaders: {
    Invoice: {
      async customer (queries) {
        const ids = [...new Set(queries.map(({ obj }) => obj.customerId))]
        const found = new Map((await books.customers(ids)).map((customer) => [customer.id, customer]))
        return queries.map(({ obj }) => found.get(obj.customerId))
      }
    }
  },
  jit: 1
})
await app.listen({ port: Number(port), host: '127.0.0.1' })
