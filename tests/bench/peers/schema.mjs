// The same schema for both peers, and the same calls: one page of invoices, then a look-up of each customer.
import { GraphQLScalarType, Kind } from 'graphql'
import { Pool } from 'undici'

export const typeDefs = `
  scalar Date
  scalar DateTime
  scalar Decimal
  scalar CurrencyCode
  enum InvoiceStatus { APPROVED DRAFT OVERDUE PAID PARTIALLY_PAID PENDING_APPROVAL SENT UNPAID VIEWED VOID }
  type Money { amount: Decimal! currency: CurrencyCode! }
  type Account { id: ID! name: String }
  type Customer { id: ID! name: String companyName: String email: String phone: String account: Account }
  type Invoice {
    id: ID!
    number: String
    status: InvoiceStatus
    date: Date
    dueDate: Date
    lastModifiedAt: DateTime
    total: Money
    balance: Money
    customer: Customer
  }
  input DateFilter { until: Date }
  input InvoiceFilter { date: DateFilter }
  type PageInfo { hasNextPage: Boolean! }
  type Invoices { nodes: [Invoice!]! pageInfo: PageInfo! }
  type Query { invoices(first: Int = 20, where: InvoiceFilter): Invoices! }
`

const text = (name) => new GraphQLScalarType({
  name,
  serialize: String,
  parseValue: String,
  parseLiteral: (node) => (node.kind === Kind.STRING ? node.value : undefined)
})

export const scalars = Object.fromEntries(['Date', 'DateTime', 'Decimal', 'CurrencyCode'].map((name) => [name, text(name)]))

const zone = /([+-]\d\d)(\d\d)$/

// Amounts pass as the numbers that JSON.parse makes of them; exact decimals would cost the peers more.
const invoice = (row) => ({
  id: row.invoice_id,
  number: row.invoice_number,
  status: row.status.toUpperCase(),
  date: row.date,
  dueDate: row.due_date,
  lastModifiedAt: row.last_modified_time.replace(zone, '$1:$2'),
  total: { amount: row.total, currency: row.currency_code },
  balance: { amount: row.balance, currency: row.currency_code },
  customerId: row.customer_id
})

const customer = (contact) => ({
  id: contact.contact_id,
  name: contact.contact_name,
  companyName: contact.company_name,
  email: contact.email,
  phone: contact.phone,
  account: contact.zcrm_account_id ? { id: contact.zcrm_account_id, name: null } : null
})

export class Books {
  constructor (origin) {
    this.pool = new Pool(origin, { connections: 100, keepAliveTimeout: 60_000 })
  }

  async read (path) {
    const headers = { authorization: 'Zoho-oauthtoken static' }
    const { body } = await this.pool.request({ method: 'GET', path: `/eu/api/books/v3${path}`, headers })
    return body.json()
  }

  async invoices (first, where) {
    const until = where?.date?.until
    const asked = new URLSearchParams({ page: 1, per_page: first, sort_column: 'created_time', sort_order: 'D' })
    if (until) asked.set('date_end', until)
    const answer = await this.read(`/invoices?${asked}`)
    return { nodes: answer.invoices.map(invoice), pageInfo: { hasNextPage: answer.page_context.has_more_page } }
  }

  async customers (ids) {
    const answers = await Promise.all(ids.map((id) => this.read(`/contacts/${id}`)))
    return answers.map((answer) => customer(answer.contact))
  }
}
