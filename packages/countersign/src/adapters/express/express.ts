import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express'
import type { Answer } from '../core/answer.ts'
import { Exchange } from '../core/exchange.ts'
import { WebFault } from '../core/fault.ts'
import { enterThen, type GuardOptions } from '../core/guard.ts'
import { keepPrivate, NodeSource, writeAnswer } from '../core/node.ts'
import type { WebOptions } from '../core/options.ts'
import type { Auth, RoleIn, SignIn, WebSessions } from '../core/types.ts'
import { createWeb } from '../core/web.ts'

/**
 * Names the sessions of the application, so that `request.auth.session` has their types:
 * `declare module 'countersign/express' { interface Register { sessions: typeof sessions } }`.
 */
// biome-ignore lint/suspicious/noEmptyInterface: applications fill it
export interface Register {}
type Registered = Register extends { sessions: infer V extends WebSessions } ? V : WebSessions

declare global {
  namespace Express {
    interface Request {
      /** Who it is. Of Countersign. */
      auth: Auth<Registered>
    }
  }
}

/** Countersign for Express 5: `app.use(auth)`, then `app.get('/orders', auth.guard({ roles: ['user'] }), …)`. */
export interface ExpressAuth<V extends WebSessions> extends RequestHandler {
  /** Lets in who fulfils the demands; `request.auth.session` is there then. Others are answered. Faults go to the error handler. */
  guard(options?: GuardOptions<RoleIn<V>>): RequestHandler
  /** Opens a session for somebody who has proved who they are, and answers: with JSON, or by sending the browser to `to`. */
  signIn(request: Request, response: Response, who: SignIn<V>, to?: string): Promise<void>
  /** Ends the session of a request, and answers. */
  signOut(request: Request, response: Response, to?: string): Promise<void>
  /** Error handler that answers faults of ours as `application/problem+json` and hands on every other error. */
  readonly errors: ErrorRequestHandler
}

/**
 * @throws CountersignError `ERR_CONFIG_INVALID`, `ERR_CONFIG_UNSAFE`, naming the option.
 * @example
 * const auth = countersign({ sessions, origins: ['https://app.example.com'], ...passwordLogin(accounts) })
 * app.use(auth)
 * app.get('/me', auth.guard(), (request, response) => response.json(request.auth.session))
 * app.use(auth.errors)
 */
export function countersign<V extends WebSessions>(options: WebOptions<V>): ExpressAuth<V> {
  const web = createWeb(options)
  const exchangeOf = (request: Request, response: Response): Exchange => {
    const there: unknown = request.auth
    if (there instanceof Exchange && there.kit === web.kit) return there
    const exchange = web.exchange(new NodeSource(request, request, response))
    request.auth = exchange as never
    return exchange
  }

  const middleware: RequestHandler = (request, response, next) => {
    const exchange = exchangeOf(request, response)
    if (!web.handlers.has(request.originalUrl)) return next()
    web.handlers
      .handle(exchange)
      .then((answer) => writeAnswer(response, answer))
      .catch(next)
  }
  const errors: ErrorRequestHandler = (error, _request, response, next) => {
    if (!(error instanceof WebFault) || response.headersSent) return next(error)
    writeAnswer(response, error.toAnswer())
  }
  return Object.assign(middleware, {
    guard(demands?: GuardOptions): RequestHandler {
      const guard = web.guard(demands)
      return (request, response, next) => {
        const go = (answer: Answer | undefined) => {
          if (answer !== undefined) return void writeAnswer(response, answer)
          if (!guard.cacheable) keepPrivate(response)
          next()
        }
        enterThen(guard, exchangeOf(request, response), go, next)
      }
    },
    async signIn(request: Request, response: Response, who: SignIn<V>, to?: string) {
      writeAnswer(response, await web.signIn(exchangeOf(request, response), who, to))
    },
    async signOut(request: Request, response: Response, to?: string) {
      writeAnswer(response, await web.signOut(exchangeOf(request, response), to))
    },
    errors,
  })
}
