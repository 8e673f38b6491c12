import { randomBytes } from 'node:crypto'
import type { Server } from 'node:http'
import swagger from '@fastify/swagger'
import { resolveCookieNames } from 'countersign/http'
import Fastify, { type FastifyInstance, type FastifyServerOptions, LogController } from 'fastify'
import { answerClientError, answerError, parseJson } from './http/errors.ts'
import { addOriginCheck } from './http/guard.ts'
import { securityHeaders } from './http/headers.ts'
import type { AppParts, AppSettings, Kit } from './http/kit.ts'
import { createLater } from './http/later.ts'
import { addMethodCheck } from './http/methods.ts'
import { MAX_BODY_BYTES, MAX_HEADER_BYTES } from './http/problems.ts'
import { proxyCheck } from './http/proxies.ts'
import { blurWith, loggable } from './log.ts'
import { deliverBy } from './mail/deliver-by.ts'
import { routes } from './routes/all.ts'

/** How long a request may take to arrive completely. */
const REQUEST_TIMEOUT_MS = 30_000
/** How long mails and the like may take when the server stops. */
const SETTLE_MS = 3_000

/**
 * Builds the HTTP application. Listens to nothing and opens nothing; `close()` of what it returns stops the HTTP side
 * only, the sessions stay open for whoever owns them.
 */
export async function buildApp(parts: AppParts, settings: AppSettings): Promise<FastifyInstance> {
  const later = createLater((error) => parts.log.error({ event: 'background_fault', err: error }))
  const kit: Kit = {
    ...parts,
    settings,
    cookieNames: resolveCookieNames(),
    blur: blurWith(parts.keyring),
    isProxy: proxyCheck(settings.trustedProxies),
    later,
  }
  const always = securityHeaders(settings.overHttps)
  const { tls, trustedProxies } = settings
  const options: FastifyServerOptions = {
    loggerInstance: parts.log,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    genReqId: requestIds(),
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    // Requests that are under way while the server stops are answered, with `Connection: close`.
    return503OnClosing: false,
    // Only the address of the peer is taken from X-Forwarded-For, and only if it is one of these; Host and Proto never.
    trustProxy: trustedProxies.length > 0 ? [...trustedProxies] : false,
    // One schema validates and documents; what is sent is never changed to fit it.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } },
    routerOptions: { maxParamLength: 256 },
    frameworkErrors: (error, request, reply) => {
      reply.headers(always)
      answerError(error, request, reply)
    },
    clientErrorHandler: (error, socket) => answerClientError(error, socket, always),
  }
  // Node looks every 30 s by default, so a limit of 30 s would be one of up to 60.
  const head = { maxHeaderSize: MAX_HEADER_BYTES, connectionsCheckingInterval: 2_000 }
  const wire = tls ? { https: { ...head, ...tls, minVersion: 'TLSv1.2' } } : { http: head }
  const app = Fastify({ ...options, ...wire } as FastifyServerOptions) as FastifyInstance<Server>

  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (_request: unknown, body: Buffer) =>
    parseJson(body),
  )
  app.setErrorHandler(answerError)

  app.addHook('onRequest', async (_request, reply) => {
    reply.headers(always)
    // So that nobody sends the next request on a connection that is about to be closed.
    if (settings.isStopping?.()) reply.header('connection', 'close')
  })
  addMethodCheck(app)
  addOriginCheck(app, kit)
  // A POST without a body is one without members; the schema then says which are missing.
  app.addHook('preValidation', async (request) => {
    if (request.method === 'POST' && request.body === undefined) request.body = {}
  })
  app.addHook('onResponse', async (request, reply) => {
    // The pattern of the route, not the path: a path holds ids, and a query may hold anything.
    const route = request.routeOptions.url
    const ms = Math.round(reply.elapsedTime)
    request.log.info({ event: 'request', method: request.method, route, status: reply.statusCode, ms, ip: request.ip })
  })
  const audit = [
    parts.sessions.events.on('*', (event) => parts.log.info({ about: 'session', ...loggable(event, kit.blur) })),
    parts.accounts.events.on('*', (event) => parts.log.info({ about: 'account', ...loggable(event, kit.blur) })),
    parts.oneTime.events.on('*', (event) => parts.log.info({ about: 'one_time', ...loggable(event, kit.blur) })),
  ]
  if (settings.mail) audit.push(deliverBy(settings.mail, kit))
  app.addHook('onClose', async () => {
    // What is lost by it is in the log, and can be asked for again.
    await Promise.race([later.settled(), new Promise((resolve) => setTimeout(resolve, SETTLE_MS).unref())])
    for (const stopListening of audit) stopListening()
  })

  await app.register(swagger, {
    openapi: { openapi: '3.1.0', info: { title: 'Countersign', version: '1', description: 'The session service.' } },
  })
  await app.register(async (scope) => routes(scope, kit))
  return app
}

/** Ids that differ between processes too. Never taken from the request: they stand in the audit. */
function requestIds(): () => string {
  const prefix = randomBytes(6).toString('base64url')
  let count = 0
  return () => `${prefix}-${++count}`
}
