// The bare server's schema on Fastify, Mercurius (with its just-in-time compiler) and the official driver, as their guides have it.
import DataLoader from 'dataloader'
import Fastify from 'fastify'
import mercurius from 'mercurius'
import { MongoClient } from 'mongodb'
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { makeExecutableSchema } from '@graphql-tools/schema'

const client = await MongoClient.connect(process.env.BACKENDBOOK_BENCH_URI)
const db = client.db(process.env.BACKENDBOOK_BENCH_DATABASE)
const documents = db.collection('documents')

const users = async (ids) => {
  const found = new Map((await db.collection('users').find({ _id: { $in: ids } }).toArray()).map((u) => [u._id, u]))
  return ids.map((id) => found.get(id))
}

const comments = async (ids) => {
  const on = new Map(ids.map((id) => ['document:' + id, []]))
  for (const d of await documents.find({ 'data.on': { $in: [...on.keys()] } }).sort({ _id: -1 }).toArray()) on.get(d.data.on).push(d)
  return ids.map((id) => on.get('document:' + id))
}

const resolvers = {
  Query: {
    document: (_, { id }) => documents.findOne({ _id: id }),
    documents: (_, { type, first, status }) =>
      documents.find(status ? { type, 'data.status': status } : { type }).sort({ _id: -1 }).limit(first).toArray(),
  },
  Mutation: {
    createDocument: async (_, { type, owner, data }) => {
      const d = { _id: randomUUID(), rev: 1, label: data.title, type, data, createdAt: new Date(), owner: { type: 'user', id: owner } }
      await db.collection('bare_documents').insertOne(d)
      return d
    },
  },
  Document: {
    id: (d) => d._id,
    createdAt: (d) => d.createdAt.toISOString(),
    owner: (d, _, { load }) => load.users.load(d.owner.id),
    comments: async (d, { first }, { load }) => (await load.comments.load(d._id)).slice(0, first),
  },
  User: { id: (u) => u._id },
}

const app = Fastify()
app.register(mercurius, {
  schema: makeExecutableSchema({ typeDefs: readFileSync(new URL('../bare/schema.graphqls', import.meta.url), 'utf8'), resolvers }),
  jit: 1,
  context: () => ({ load: { users: new DataLoader(users), comments: new DataLoader(comments) } }),
})
console.log(await app.listen({ port: 0, host: '127.0.0.1' }), '-')
