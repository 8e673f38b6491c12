// Countersign behind a handler of Fastify. Variants: `opaque`, `allowlist`, `opaque-cookie`; with `-cached` the near cache
// is on, else every request asks the store; with `-adapter` it is the adapter that asks, and the handler only at `/own`.
import { createSessions } from 'countersign'
import { countersign } from 'countersign/fastify'
import { readCookies } from 'countersign/http'
import { redisStore } from 'countersign/stores/redis'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { bearerHeader, fastify, serve, told } from './serve.ts'
import { issueAll, keyring, NEAR_CACHE, NO_NEAR_CACHE, SESSIONS_OPTIONS, strategyOf } from './sessions.ts'

const sessions = createSessions({
  ...SESSIONS_OPTIONS,
  strategy: strategyOf(told.variant),
  keyring: await keyring(told.keyring),
  // Keys of its own, unless several servers are told to share them.
  store: redisStore({ url: told.redis, prefix: told.prefix ?? `${told.variant}-${process.pid}` }),
  ...(told.variant.includes('-cached') ? NEAR_CACHE : NO_NEAR_CACHE),
})
const tokens = await issueAll(sessions, told.sessions)

const app = fastify()
/** What somebody writes who has no adapter. */
const own = async ({ headers }: FastifyRequest, reply: FastifyReply) => {
  const token = headers.authorization?.slice(7) ?? ''
  const checked = sessions.verifyNow(token) ?? (await sessions.verify(token))
  if (!checked.ok) return reply.code(401).send({ error: checked.reason })
  return { subject: checked.session.subject }
}
if (told.variant.endsWith('-adapter')) {
  const auth = countersign({ sessions, origins: ['https://app.example.com'] })
  await app.register(auth)
  app.get('/', { onRequest: auth.guard() }, async (request) => ({ subject: request.auth.session!.subject }))
  app.get('/own', own)
  await serve(app, tokens.map(bearerHeader))
} else if (told.variant.includes('cookie')) {
  app.get('/', async (request, reply) => {
    const cookies = readCookies({ method: request.method, header: (name) => request.headers[name] })
    const token = cookies.ok ? (cookies.access ?? '') : ''
    const checked = sessions.verifyNow(token) ?? (await sessions.verify(token))
    if (!checked.ok) return reply.code(401).send({ error: checked.reason })
    return { subject: checked.session.subject }
  })
  await serve(
    app,
    tokens.map((token) => `cookie: __Host-access=${token}`),
  )
} else {
  app.get('/', own)
  await serve(app, tokens.map(bearerHeader))
}
