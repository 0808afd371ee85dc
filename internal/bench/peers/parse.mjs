// Parse Server's GraphQL over the same articles, remarks and owners, copied into its own way of storing them. It checks a
// session and the permissions of classes.
import express from 'express'
import { MongoClient } from 'mongodb'
import { createServer } from 'node:http'
import { ParseGraphQLServer, ParseServer } from 'parse-server'

const uri = new URL(process.env.BACKENDBOOK_BENCH_URI)
const database = process.env.BACKENDBOOK_BENCH_DATABASE
const client = await MongoClient.connect(uri.href)
const from = client.db(database)
const to = client.db(database + '_parse')
if (!uri.searchParams.has('authSource')) uri.searchParams.set('authSource', uri.pathname.slice(1) || 'admin')
uri.pathname = '/' + to.databaseName

const app = express()
const http = createServer(app)
await new Promise((ready) => http.listen(0, '127.0.0.1', ready))
const url = `http://127.0.0.1:${http.address().port}`
const parse = new ParseServer({
  databaseURI: uri.href, appId: 'app', masterKey: 'master', serverURL: url + '/parse', silent: true, logsFolder: null,
  allowClientClassCreation: false,
})
await parse.start()
app.use('/parse', parse.app)

const headers = { 'X-Parse-Application-Id': 'app', 'X-Parse-Master-Key': 'master', 'Content-Type': 'application/json' }
const post = async (path, body, more) => {
  const res = await fetch(url + '/parse' + path, { method: 'POST', headers: { ...headers, ...more }, body: JSON.stringify(body) })
  if (!res.ok) throw new Error(`${path}: ${await res.text()}`)
  return res.json()
}
const text = { type: 'String' }
const owner = { type: 'Pointer', targetClass: 'Owner' }
const signedIn = { requiresAuthentication: true }
for (const [className, fields] of Object.entries({
  Owner: { name: text },
  Remark: { text, owner },
  Article: { title: text, body: text, status: text, n: { type: 'Number' }, tags: { type: 'Array' }, owner, comments: { type: 'Array' } },
}))
  await post(`/schemas/${className}`, { className, fields, classLevelPermissions: { find: signedIn, get: signedIn, create: signedIn } })
const user = { username: 'bench', password: 'not a secret' }
await post('/users', user)
const { sessionToken } = await post('/login', user, { 'X-Parse-Revocable-Session': '1' })

const types = Object.fromEntries((await from.collection('content_types').find({ key: { $in: ['article', 'remark'] } }).toArray()).map((t) => [t.key, t._id]))
const stored = (d) => ({ _id: d._id, _created_at: d.createdAt, _updated_at: d.createdAt, ...(d.owner && { _p_owner: 'Owner$' + d.owner.id }) })
const all = (type) => from.collection('documents').find({ type }).toArray()
const remarks = await all(types.remark)
const pointers = (id) => remarks.filter((r) => r.data.on === 'document:' + id).map((r) => ({ __type: 'Pointer', className: 'Remark', objectId: r._id }))
await to.collection('Owner').insertMany((await from.collection('users').find().toArray()).map((u) => ({ ...stored({ _id: u._id, createdAt: u.createdAt }), name: u.name })))
await to.collection('Remark').insertMany(remarks.map((d) => ({ ...stored(d), text: d.data.text })))
await to.collection('Article').insertMany((await all(types.article)).map((d) => ({ ...stored(d), ...d.data, comments: pointers(d._id) })))
await to.collection('Article').createIndex({ status: 1, _id: -1 })

await new ParseGraphQLServer(parse, { graphQLPath: '/graphql' }).applyGraphQL(app)
console.log(url, sessionToken)
