// The least that a look-up can cost: the session in a `Map` of this process, by the whole token. Nothing is checked,
// nothing can be revoked from elsewhere, and all is gone with the process. Variant `connected`: beside two connections to
// Redis that are open and idle, as the other side has them.
import { createSessions } from 'countersign'
import { memoryStore } from 'countersign/stores/memory'
import { DATA, ROLES, subjectOf } from '../sides/content.ts'
import { bearerHeader, fastify, ourRedisClient, serve, told } from '../sides/serve.ts'
import { ALLOWLIST, issueAll, keyring, SESSIONS_OPTIONS } from '../sides/sessions.ts'

// The same tokens as the other side, so that the requests are the same bytes.
const issuer = createSessions({
  ...SESSIONS_OPTIONS,
  strategy: ALLOWLIST,
  keyring: await keyring(),
  store: memoryStore(),
})
const tokens = await issueAll(issuer, told.sessions)
const map = new Map(tokens.map((token, at) => [token, { subject: subjectOf(at), roles: ROLES, data: DATA }]))

if (told.variant === 'connected') {
  const clients = [await ourRedisClient(told.redis), await ourRedisClient(told.redis)]
  // Used as often as the other side has used its own before the first request.
  for (const token of tokens) for (const client of clients) await client.exists(token.slice(-43))
}

const app = fastify()
app.get('/', async (request, reply) => {
  const session = map.get(request.headers.authorization?.slice(7) ?? '')
  if (session === undefined) return reply.code(401).send({ error: 'unknown' })
  return { subject: session.subject }
})
await serve(app, tokens.map(bearerHeader))
