// @fastify/session with connect-redis, as their READMEs have it (only `secure` is off, because the requests come over
// plain HTTP). Tuned: nothing is saved or set again that did not change, and node-redis has our settings.
import cookie from '@fastify/cookie'
import session, { type FastifySessionOptions } from '@fastify/session'
import { RedisStore } from 'connect-redis'
import { DATA, LIFETIME_SECONDS, ROLES, SECRET, subjectOf } from '../sides/content.ts'
import { cookieHeader, fastify, redisClient, serve, told } from '../sides/serve.ts'

declare module 'fastify' {
  interface Session {
    subject?: string
    roles?: readonly string[]
    data?: object
  }
}

const app = fastify()
app.register(cookie)
app.register(session, {
  secret: SECRET,
  store: new RedisStore({
    client: await redisClient(),
    prefix: 'fastify-session:',
    ttl: LIFETIME_SECONDS,
  }) as unknown as NonNullable<FastifySessionOptions['store']>,
  cookie: { secure: false, maxAge: LIFETIME_SECONDS * 1_000 },
  ...(told.tuned && { saveUninitialized: false, rolling: false }),
})
app.post<{ Querystring: { subject: string } }>('/login', async (request) => {
  Object.assign(request.session, { subject: request.query.subject, roles: ROLES, data: DATA })
  return {}
})
app.get('/', async (request, reply) => {
  const { subject } = request.session
  if (subject === undefined) return reply.code(401).send({ error: 'no session' })
  return { subject }
})
await app.ready()

const headers: string[] = []
for (let at = 0; at < told.sessions; at++) {
  const login = await app.inject({ method: 'POST', url: `/login?subject=${subjectOf(at)}` })
  headers.push(cookieHeader(login.headers['set-cookie']))
}
await serve(app, headers)
