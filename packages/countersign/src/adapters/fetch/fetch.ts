import type { Exchange } from '../core/exchange.ts'
import { asFault, WebFault } from '../core/fault.ts'
import { FetchSource, finished, toResponse } from '../core/fetch.ts'
import type { Guard, GuardOptions } from '../core/guard.ts'
import type { WebOptions } from '../core/options.ts'
import type { Auth, RoleIn, SessionIn, SignIn, WebSessions } from '../core/types.ts'
import { createWeb } from '../core/web.ts'

/** What this adapter takes besides. */
export interface FetchOptions<V extends WebSessions> extends WebOptions<V> {
  /** Address of the socket's other end, which a `Request` does not tell: `(request) => server.requestIP(request)?.address`. */
  readonly peer?: (request: Request) => string | undefined
}

/** `auth` in a handler behind a guard. */
type Guarded<V extends WebSessions> = Auth<V> & { readonly session: SessionIn<V> }

/** Countersign for `Request` and `Response`. Faults of the store are answered with 503; errors of handlers are thrown on. */
export interface FetchAuth<V extends WebSessions> {
  /** The answer of a handler below `basePath`; `undefined` when the request is for none. */
  handle(request: Request): Promise<Response | undefined>
  /** All handlers as Next.js wants them: `export const { GET, POST } = auth.routes` in `app/auth/[action]/route.ts`. */
  readonly routes: Readonly<Record<'GET' | 'POST', (request: Request) => Promise<Response>>>
  /** A handler that only those reach who fulfil the demands. What comes after the request is handed on. */
  guard<A extends readonly unknown[]>(
    options: GuardOptions<RoleIn<V>>,
    handler: (request: Request, auth: Guarded<V>, ...rest: A) => Response | Promise<Response>,
  ): (request: Request, ...rest: A) => Promise<Response>
  /** The answer for who may not pass, `undefined` for who may: for a middleware. */
  enter(request: Request, options?: GuardOptions<RoleIn<V>>): Promise<Response | undefined>
  /** What is known of a request. */
  of(request: Request): Auth<V>
  /** The response with the cookies that `formToken` wants: only for handlers without a guard. */
  withCookies(request: Request, response: Response): Response
  /** Opens a session for somebody who has proved who they are: the answer is JSON, or sends the browser to `to`. */
  signIn(request: Request, who: SignIn<V>, to?: string): Promise<Response>
  /** Ends the session of a request. */
  signOut(request: Request, to?: string): Promise<Response>
}

/**
 * @throws CountersignError `ERR_CONFIG_INVALID`, `ERR_CONFIG_UNSAFE`, naming the option.
 * @example
 * const auth = countersign({ sessions, origins: ['https://app.example.com'], ...passwordLogin(accounts) })
 * const me = auth.guard({}, (request, { session }) => Response.json({ subject: session.subject }))
 */
export function countersign<V extends WebSessions>(options: FetchOptions<V>): FetchAuth<V> {
  const { peer, ...rest } = options
  const web = createWeb<V>(rest)
  const known = new WeakMap<Request, { readonly exchange: Exchange; readonly cookies: string[] }>()
  const about = (request: Request) => {
    let found = known.get(request)
    if (!found) {
      const cookies: string[] = []
      const exchange = web.exchange(new FetchSource(request, (line) => cookies.push(line), peer?.(request)))
      found = { exchange, cookies }
      known.set(request, found)
    }
    return found
  }
  const answered = async <T>(request: Request, work: () => Promise<T>): Promise<T | Response> => {
    try {
      return await work()
    } catch (error) {
      const fault = asFault(error)
      if (fault instanceof WebFault) return toResponse(fault.toAnswer(), request.method)
      throw fault
    }
  }
  const refused = async (request: Request, guard: Guard): Promise<Response | undefined> => {
    const answer = await guard.enter(about(request).exchange)
    return answer && toResponse(answer, request.method)
  }
  const guards = new WeakMap<object, Guard>()
  const guardOf = (demands: GuardOptions): Guard => {
    const guard = guards.get(demands) ?? web.guard(demands)
    guards.set(demands, guard)
    return guard
  }
  const route = (request: Request) =>
    answered(request, async () => toResponse(await web.handlers.handle(about(request).exchange), request.method))

  return {
    async handle(request) {
      return web.handlers.has(about(request).exchange.source.target) ? route(request) : undefined
    },
    routes: { GET: route, POST: route },
    guard(demands, handler) {
      const guard = web.guard(demands)
      return (request, ...more) =>
        answered(request, async () => {
          const answer = await refused(request, guard)
          if (answer) return answer
          const { exchange, cookies } = about(request)
          return finished(await handler(request, exchange as unknown as Guarded<V>, ...more), cookies, guard.cacheable)
        })
    },
    enter: (request, demands = NOTHING) => answered(request, async () => refused(request, guardOf(demands))),
    of: (request) => about(request).exchange as unknown as Auth<V>,
    withCookies: (request, response) => finished(response, about(request).cookies, true),
    signIn: (request, who, to) =>
      answered(request, async () => toResponse(await web.signIn(about(request).exchange, who, to))),
    signOut: (request, to) => answered(request, async () => toResponse(await web.signOut(about(request).exchange, to))),
  }
}

const NOTHING = Object.freeze({})
