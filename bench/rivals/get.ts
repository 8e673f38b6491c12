// The least that a look-up in Redis can cost: one `GET` and `JSON.parse`, on a client with our settings. The token is
// not checked; its last 43 characters, which are random, are the key. Variants name the strategy whose tokens are sent.
import { createSessions } from 'countersign'
import { memoryStore } from 'countersign/stores/memory'
import { DATA, LIFETIME_SECONDS, ROLES, subjectOf } from '../sides/content.ts'
import { bearerHeader, fastify, ourRedisClient, serve, told } from '../sides/serve.ts'
import { issueAll, keyring, SESSIONS_OPTIONS, strategyOf } from '../sides/sessions.ts'

const issuer = createSessions({
  ...SESSIONS_OPTIONS,
  strategy: strategyOf(told.variant),
  keyring: await keyring(),
  store: memoryStore(),
})
const tokens = await issueAll(issuer, told.sessions)
const client = await ourRedisClient(told.redis)
const keyOf = (token: string) => `get:${token.slice(-43)}`
await Promise.all(
  tokens.map((token, at) =>
    client.set(keyOf(token), JSON.stringify({ subject: subjectOf(at), roles: ROLES, data: DATA }), {
      EX: LIFETIME_SECONDS,
    }),
  ),
)

const app = fastify()
app.get('/', async (request, reply) => {
  const found = await client.get(`get:${request.headers.authorization?.slice(-43) ?? ''}`)
  if (found === null) return reply.code(401).send({ error: 'unknown' })
  return { subject: JSON.parse(found).subject }
})
await serve(app, tokens.map(bearerHeader))
