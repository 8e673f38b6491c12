import type { Server } from 'node:http'
import { Readable } from 'node:stream'
import type { AdapterSessions, Run, StartedApp } from 'countersign/conformance'
import { countersign } from 'countersign/fastify'
import Fastify, { type FastifyRequest } from 'fastify'
import { aboutSession, GUARDS, lateLines, linesOf, OUTAGE, optionsFor, ROUTES } from './common.ts'

export async function startFastify(sessions: AdapterSessions, { protocol }: Run): Promise<StartedApp> {
  let origins: readonly string[] = []
  const auth = countersign(optionsFor(sessions, () => origins))
  const app = Fastify({ forceCloseConnections: true, ...(protocol === 'http2' && { http2: true }) } as object)
  // Before everything that it is for.
  app.setErrorHandler(auth.errors)
  await app.register(auth)
  // Fastify's own repeats the address, and with it whatever somebody put into it.
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: 'there is nothing here' }))
  for (const path of ROUTES) {
    app.get(path, { onRequest: auth.guard(GUARDS[path]) }, async (request) => aboutSession(session(request)))
  }
  // The decorator is for plugins, which do not have `auth`.
  const three = [app.guard(), app.guard({ roles: ['user'] }), app.guard({ roles: ['admin'] })]
  app.get('/guarded', { onRequest: three }, async (request) => aboutSession(session(request)))
  app.post('/change', { onRequest: auth.guard() }, async (request) => ({ subject: session(request)?.subject }))
  app.post('/form', { preHandler: auth.guard({ form: true }) }, async (request) => ({
    subject: session(request)?.subject,
  }))
  app.get('/stream', { onRequest: auth.guard() }, async (request, reply) =>
    reply.type('text/plain').send(Readable.from(linesOf(session(request)!.subject))),
  )
  app.get('/late', { onRequest: auth.guard() }, async (request, reply) =>
    reply.type('text/plain').send(Readable.from(lateLines(() => request.auth.check({ fresh: true }) as never))),
  )
  app.get('/outage', { onRequest: auth.guard(OUTAGE) }, async (request) => {
    const { degraded } = request.auth
    return { subject: (session(request) ?? degraded)?.subject, degraded: degraded !== undefined }
  })
  app.get('/form', async (request, reply) => {
    await request.auth.check()
    return { token: auth.formToken(request, reply) }
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = (app.server as Server).address() as { port: number }
  const origin = `http://127.0.0.1:${port}`
  origins = [origin]
  return { origin, close: () => app.close() }
}

const session = (request: FastifyRequest) =>
  request.auth.session as { subject: string; sessionId: string; roles: readonly string[] } | undefined
