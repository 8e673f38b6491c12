// iron-session on Fastify: the whole session is in an encrypted cookie, and nothing is asked. No session can be ended
// before its cookie is.
import { getIronSession, sealData } from 'iron-session'
import { DATA, LIFETIME_SECONDS, ROLES, SECRET, subjectOf } from '../sides/content.ts'
import { fastify, serve, told } from '../sides/serve.ts'

interface Kept {
  subject: string
  roles: readonly string[]
  data: typeof DATA
}
const options = { password: SECRET, cookieName: 'session', ttl: LIFETIME_SECONDS }
const headers: string[] = []
for (let at = 0; at < told.sessions; at++) {
  const seal = await sealData({ subject: subjectOf(at), roles: ROLES, data: DATA }, options)
  headers.push(`cookie: session=${seal}`)
}

const app = fastify()
app.get('/', async (request, reply) => {
  const session = await getIronSession<Kept>(request.raw, reply.raw, options)
  if (session.subject === undefined) return reply.code(401).send({ error: 'no session' })
  return { subject: session.subject }
})
await serve(app, headers)
