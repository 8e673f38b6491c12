import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { Answer } from '../core/answer.ts'
import type { Exchange } from '../core/exchange.ts'
import { faultAnswer } from '../core/fault.ts'
import { enterThen, type Guard, type GuardOptions } from '../core/guard.ts'
import { type Answering, type Holder, keepPrivate, NodeSource, writeAnswer } from '../core/node.ts'
import type { WebOptions } from '../core/options.ts'
import type { Auth, RoleIn, SessionIn, SignIn, WebSessions } from '../core/types.ts'
import { createWeb } from '../core/web.ts'

/** A request of HTTP/1, or of HTTP/2 through Node's compatibility API. */
export type NodeRequest = IncomingMessage | Http2ServerRequest
export type NodeResponse = ServerResponse | Http2ServerResponse
type Next = (error?: unknown) => void

/** Countersign for servers of Node without a framework, and for Connect. */
export interface NodeAuth<V extends WebSessions> {
  /**
   * Connect middleware: answers the handlers below `basePath` and goes on with everything else. Faults go to `next`.
   * `auth.of(request)` is what is known of the request.
   */
  (request: NodeRequest, response: NodeResponse, next: Next): void
  /** Connect middleware that lets in who fulfils the demands. */
  guard(options?: GuardOptions<RoleIn<V>>): (request: NodeRequest, response: NodeResponse, next: Next) => void
  /**
   * The same without a framework: the session, or `undefined` when the request has been answered already.
   *
   * @remarks No promise where the answer is in memory: `await` takes both.
   * @throws WebFault when the store did not answer.
   */
  enter(
    request: NodeRequest,
    response: NodeResponse,
    options?: GuardOptions<RoleIn<V>>,
  ): SessionIn<V> | undefined | Promise<SessionIn<V> | undefined>
  /** Answers when the request is for a handler: `if (await auth.handle(request, response)) return`. */
  handle(request: NodeRequest, response: NodeResponse): Promise<boolean>
  /** What is known of a request. With the response where nothing else of this adapter has seen it yet, for `formToken`. */
  of(request: NodeRequest, response?: NodeResponse): Auth<V>
  /** Opens a session for somebody who has proved who they are, and answers: with JSON, or by sending the browser to `to`. */
  signIn(request: NodeRequest, response: NodeResponse, who: SignIn<V>, to?: string): Promise<void>
  /** Ends the session of a request, and answers. */
  signOut(request: NodeRequest, response: NodeResponse, to?: string): Promise<void>
  /** Answers to an error: a fault of the store as 503, all else as 500, and nothing of it in the answer. */
  fail(error: unknown, response: NodeResponse): void
}

/**
 * @throws CountersignError `ERR_CONFIG_INVALID`, `ERR_CONFIG_UNSAFE`, naming the option.
 * @example
 * const auth = countersign({ sessions, origins: ['https://app.example.com'], ...passwordLogin(accounts) })
 * createServer(async (request, response) => {
 *   if (await auth.handle(request, response)) return
 *   const session = await auth.enter(request, response, { roles: ['admin'] })
 *   if (session) response.end(session.subject)
 * })
 */
export function countersign<V extends WebSessions>(options: WebOptions<V>): NodeAuth<V> {
  const web = createWeb(options)
  const exchanges = new WeakMap<object, Exchange>()
  const guards = new WeakMap<object, Guard>()
  const plain = web.guard()

  const exchangeOf = (request: NodeRequest, response?: NodeResponse): Exchange => {
    let exchange = exchanges.get(request)
    if (!exchange) {
      const answer = (response ?? NO_ANSWER) as Answering
      // Connect cuts `url` where something is mounted, and keeps it as `originalUrl`.
      exchange = web.exchange(new NodeSource(request as IncomingMessage, request as Holder, answer))
      exchanges.set(request, exchange)
    }
    return exchange
  }
  const write = (response: NodeResponse, answer: Answer) => writeAnswer(response as ServerResponse, answer)
  const settle = (exchange: Exchange, guard: Guard, response: NodeResponse, answer: Answer | undefined) => {
    if (answer !== undefined) return void write(response, answer)
    if (!guard.cacheable) keepPrivate(response as ServerResponse)
    return exchange.session
  }

  const middleware = (request: NodeRequest, response: NodeResponse, next: Next): void => {
    const exchange = exchangeOf(request, response)
    if (!web.handlers.has(exchange.source.target)) {
      next()
      return
    }
    web.handlers
      .handle(exchange)
      .then((answer) => write(response, answer))
      .catch(next)
  }
  return Object.assign(middleware, {
    guard(demands?: GuardOptions) {
      const guard = web.guard(demands)
      return (request: NodeRequest, response: NodeResponse, next: Next): void => {
        const exchange = exchangeOf(request, response)
        const go = (answer: Answer | undefined) => {
          settle(exchange, guard, response, answer)
          if (answer === undefined) next()
        }
        enterThen(guard, exchange, go, next)
      }
    },
    enter(request: NodeRequest, response: NodeResponse, demands?: GuardOptions) {
      const guard = guardOf(demands)
      const exchange = exchangeOf(request, response)
      const answer = guard.enter(exchange)
      return answer instanceof Promise
        ? answer.then((final) => settle(exchange, guard, response, final))
        : settle(exchange, guard, response, answer)
    },
    async handle(request: NodeRequest, response: NodeResponse) {
      const exchange = exchangeOf(request, response)
      if (!web.handlers.has(exchange.source.target)) return false
      write(response, await web.handlers.handle(exchange))
      return true
    },
    of: (request: NodeRequest, response?: NodeResponse) => exchangeOf(request, response) as unknown as Auth<V>,
    async signIn(request: NodeRequest, response: NodeResponse, who: SignIn<V>, to?: string) {
      write(response, await web.signIn(exchangeOf(request, response), who, to))
    },
    async signOut(request: NodeRequest, response: NodeResponse, to?: string) {
      write(response, await web.signOut(exchangeOf(request, response), to))
    },
    fail(error: unknown, response: NodeResponse) {
      // An answer that has begun cannot be taken back: the connection says that it is not whole.
      if (response.headersSent) (response as ServerResponse).destroy()
      else write(response, faultAnswer(error))
    },
  })

  /** Guards are made once per set of options, also where the options stand in the call. */
  function guardOf(demands: GuardOptions | undefined): Guard {
    if (demands === undefined) return plain
    let guard = guards.get(demands)
    if (!guard) {
      guard = web.guard(demands)
      guards.set(demands, guard)
    }
    return guard
  }
}

const NO_ANSWER: Answering = {
  getHeader: () => undefined,
  setHeader() {
    throw new Error('a form token for a browser without a session needs the response: auth.of(request, response)')
  },
}
