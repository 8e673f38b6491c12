import type {
  FastifyError,
  FastifyInstance,
  FastifyPluginAsync,
  FastifyReply,
  FastifyRequest,
  onRequestHookHandler,
} from 'fastify'
import type { Answer } from '../core/answer.ts'
import { MAX_BODY_BYTES } from '../core/body.ts'
import type { Exchange } from '../core/exchange.ts'
import { WebFault } from '../core/fault.ts'
import { enterThen, type GuardOptions } from '../core/guard.ts'
import { type Answering, NodeSource, withVary } from '../core/node.ts'
import type { WebOptions } from '../core/options.ts'
import type { Auth, RoleIn, SignIn, WebSessions } from '../core/types.ts'
import { createWeb } from '../core/web.ts'
import { parseForm, parseJson } from './parse.ts'
import { SCHEMAS } from './schemas.ts'

/**
 * Names the sessions of the application, so that `request.auth.session` has their types:
 * `declare module 'countersign/fastify' { interface Register { sessions: typeof sessions } }`.
 */
// biome-ignore lint/suspicious/noEmptyInterface: applications fill it
export interface Register {}
type Registered = Register extends { sessions: infer V extends WebSessions } ? V : WebSessions

declare module 'fastify' {
  interface FastifyRequest {
    /** Who it is. Of Countersign. */
    readonly auth: Auth<Registered>
  }
  interface FastifyInstance {
    /** Makes guards. Of Countersign. */
    readonly guard: (options?: GuardOptions<RoleIn<Registered>>) => onRequestHookHandler
  }
}

/** Countersign for Fastify 5: `await app.register(auth)`, then `app.get('/orders', { onRequest: auth.guard() }, …)`. */
export interface FastifyAuth<V extends WebSessions> extends FastifyPluginAsync {
  /**
   * A hook that lets in who fulfils the demands; `request.auth.session` is there then. As `onRequest`, before the body is read; with
   * `form: true` as `preHandler`, after it. Faults go to the error handler.
   */
  guard(options?: GuardOptions<RoleIn<V>>): onRequestHookHandler
  /** Opens a session for somebody who has proved who they are, and answers: with JSON, or by sending the browser to `to`. */
  signIn(request: FastifyRequest, reply: FastifyReply, who: SignIn<V>, to?: string): Promise<FastifyReply>
  /** Ends the session of a request, and answers. */
  signOut(request: FastifyRequest, reply: FastifyReply, to?: string): Promise<FastifyReply>
  /** `request.auth.formToken()` for routes without a guard, where the browser may need a cookie. After `request.auth.check()`. */
  formToken(request: FastifyRequest, reply: FastifyReply): string
  /** For `app.setErrorHandler`: answers faults of ours as `application/problem+json`, and all else as Fastify does. */
  errors(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void
}

const EXCHANGE = Symbol('countersign')
/** Not decorated: what is decorated with a value costs every request of the application, also those that nobody guards. */
type Holding = FastifyRequest & { [EXCHANGE]?: Exchange }

/**
 * @throws CountersignError `ERR_CONFIG_INVALID`, `ERR_CONFIG_UNSAFE`, naming the option.
 * @example
 * const auth = countersign({ sessions, origins: ['https://app.example.com'], ...passwordLogin(accounts) })
 * await app.register(auth)
 * app.get('/me', { onRequest: auth.guard() }, async ({ auth }) => ({ subject: auth.session?.subject }))
 */
export function countersign<V extends WebSessions>(options: WebOptions<V>): FastifyAuth<V> {
  const web = createWeb(options)
  const exchangeOf = (request: FastifyRequest): Exchange => {
    const holding = request as Holding
    const there = holding[EXCHANGE]
    if (there?.kit === web.kit) return there
    const exchange = web.exchange(new NodeSource(request.raw, request, NO_REPLY))
    holding[EXCHANGE] = exchange
    return exchange
  }
  const guard = (demands?: GuardOptions): onRequestHookHandler => {
    const made = web.guard(demands)
    return (request, reply, done) => {
      const go = (answer: Answer | undefined) => {
        if (answer !== undefined) return void send(reply, answer)
        if (!made.cacheable && !reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store')
        done()
      }
      enterThen(made, exchangeOf(request), go, done)
    }
  }

  const plugin = async (app: FastifyInstance): Promise<void> => {
    app.decorateRequest('auth', {
      getter() {
        return exchangeOf(this as FastifyRequest) as never
      },
    })
    app.decorate('guard', guard as never)
    // In a scope of its own: how these routes read their bodies is not the application's business.
    await app.register(async (scope) => {
      scope.removeAllContentTypeParsers()
      scope.addContentTypeParser('application/json', { parseAs: 'string', bodyLimit: MAX_BODY_BYTES }, parseJson)
      scope.addContentTypeParser(
        'application/x-www-form-urlencoded',
        { parseAs: 'string', bodyLimit: MAX_BODY_BYTES },
        parseForm,
      )
      // A POST without a body is one without members.
      scope.addHook('preValidation', async (request) => {
        if (request.method === 'POST' && request.body === undefined) request.body = {}
      })
      for (const { method, path, what } of web.handlers.routes) {
        const handler = async (request: FastifyRequest, reply: FastifyReply) =>
          send(reply, await web.handlers.handle(exchangeOf(request)))
        scope.route({ method, url: path, schema: SCHEMAS[what], handler })
        const others = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].filter((one) => one !== method)
        scope.route({ method: others, url: path, schema: { hide: true } as object, handler })
      }
    })
  }
  return Object.assign(plugin, {
    // What `fastify-plugin` does: the decorators are for the whole application.
    [Symbol.for('skip-override')]: true,
    [Symbol.for('fastify.display-name')]: 'countersign',
    [Symbol.for('plugin-meta')]: { name: 'countersign', fastify: '5.x' },
    guard,
    async signIn(request: FastifyRequest, reply: FastifyReply, who: SignIn<V>, to?: string) {
      return send(reply, await web.signIn(exchangeOf(request), who, to))
    },
    async signOut(request: FastifyRequest, reply: FastifyReply, to?: string) {
      return send(reply, await web.signOut(exchangeOf(request), to))
    },
    formToken(request: FastifyRequest, reply: FastifyReply) {
      return exchangeOf(request).formToken((line) => reply.header('set-cookie', line))
    },
    errors(error: FastifyError, _request: FastifyRequest, reply: FastifyReply) {
      if (error instanceof WebFault) send(reply, error.toAnswer())
      else reply.send(error)
    },
  }) as unknown as FastifyAuth<V>
}

function send(reply: FastifyReply, answer: Answer): FastifyReply {
  const { vary, ...headers } = answer.headers
  reply.code(answer.status).headers(headers)
  if (vary !== undefined) reply.header('vary', withVary(reply.getHeader('vary'), vary))
  for (const line of answer.cookies) reply.header('set-cookie', line)
  // As text: a response schema would leave out members that it does not know.
  return answer.body === '' ? reply.send() : reply.send(answer.body)
}

const NO_REPLY: Answering = {
  getHeader: () => undefined,
  setHeader() {
    throw new Error('a form token for a browser without a session needs the reply: auth.formToken(request, reply)')
  },
}
