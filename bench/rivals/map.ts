// The least that a look-up can cost: the session in a `Map` of this process, by the whole token. Nothing is checked,
// nothing can be revoked from elsewhere, and all is gone with the process.
import { createSessions } from 'countersign'
import { memoryStore } from 'countersign/stores/memory'
import { DATA, ROLES, subjectOf } from '../sides/content.ts'
import { bearerHeader, fastify, serve, told } from '../sides/serve.ts'
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

const app = fastify()
app.get('/', async (request, reply) => {
  const session = map.get(request.headers.authorization?.slice(7) ?? '')
  if (session === undefined) return reply.code(401).send({ error: 'unknown' })
  return { subject: session.subject }
})
await serve(app, tokens.map(bearerHeader))
