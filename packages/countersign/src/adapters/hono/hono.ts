import type { Context, MiddlewareHandler } from 'hono'
import { Exchange } from '../core/exchange.ts'
import { FetchSource, toResponse } from '../core/fetch.ts'
import type { GuardOptions } from '../core/guard.ts'
import type { WebOptions } from '../core/options.ts'
import type { Auth, RoleIn, SignIn, WebSessions } from '../core/types.ts'
import { createWeb } from '../core/web.ts'

/** Environment of an application: `new Hono<AuthEnv<typeof sessions>>()` gives `c.var.auth` its type. */
export interface AuthEnv<V extends WebSessions> {
  Variables: { auth: Auth<V> }
}

/** What this adapter takes besides. */
export interface HonoOptions<V extends WebSessions> extends WebOptions<V> {
  /** Address of the socket's other end. Default: what `@hono/node-server` knows. */
  readonly peer?: (c: Context) => string | undefined
}

/** Countersign for Hono: `app.use(auth)`, then `app.get('/orders', auth.guard({ roles: ['user'] }), …)`. */
export interface HonoAuth<V extends WebSessions> extends MiddlewareHandler<AuthEnv<V>> {
  /** Lets in who fulfils the demands; `c.var.auth.session` is there then. Faults go to `app.onError`, and are 503 by themselves. */
  guard(options?: GuardOptions<RoleIn<V>>): MiddlewareHandler<AuthEnv<V>>
  /** Opens a session for somebody who has proved who they are: the answer is JSON, or sends the browser to `to`. */
  signIn(c: Context, who: SignIn<V>, to?: string): Promise<Response>
  /** Ends the session of a request. */
  signOut(c: Context, to?: string): Promise<Response>
}

/**
 * @throws CountersignError `ERR_CONFIG_INVALID`, `ERR_CONFIG_UNSAFE`, naming the option.
 * @example
 * const auth = countersign({ sessions, origins: ['https://app.example.com'], ...passwordLogin(accounts) })
 * const app = new Hono<AuthEnv<typeof sessions>>()
 * app.use(auth)
 * app.get('/me', auth.guard(), (c) => c.json({ subject: c.var.auth.session?.subject }))
 */
export function countersign<V extends WebSessions>(options: HonoOptions<V>): HonoAuth<V> {
  const { peer = peerOfNode, ...rest } = options
  const web = createWeb<V>(rest)
  const exchangeOf = (c: Context): Exchange => {
    const there: unknown = c.get('auth')
    if (there instanceof Exchange && there.kit === web.kit) return there
    const addCookie = (line: string) => c.header('set-cookie', line, { append: true })
    const exchange = web.exchange(new FetchSource(c.req.raw, addCookie, peer(c), c.get('requestId')))
    c.set('auth', exchange)
    return exchange
  }

  const middleware: MiddlewareHandler = async (c, next) => {
    const exchange = exchangeOf(c)
    if (!web.handlers.has(exchange.source.target)) return next()
    return toResponse(await web.handlers.handle(exchange), c.req.method)
  }
  return Object.assign(middleware, {
    guard(demands?: GuardOptions): MiddlewareHandler {
      const guard = web.guard(demands)
      return async (c, next) => {
        const entered = guard.enter(exchangeOf(c))
        const answer = entered instanceof Promise ? await entered : entered
        if (answer !== undefined) return toResponse(answer, c.req.method)
        await next()
        // Also on a `Response` that a handler made by itself, on which nothing that was set before is found.
        if (!guard.cacheable && !c.res.headers.has('cache-control')) c.header('cache-control', 'no-store')
        return undefined
      }
    },
    signIn: async (c: Context, who: SignIn<V>, to?: string) => toResponse(await web.signIn(exchangeOf(c), who, to)),
    signOut: async (c: Context, to?: string) => toResponse(await web.signOut(exchangeOf(c), to)),
  }) as unknown as HonoAuth<V>
}

function peerOfNode(c: Context): string | undefined {
  const env = c.env as { readonly incoming?: { readonly socket?: { readonly remoteAddress?: string } } } | undefined
  return env?.incoming?.socket?.remoteAddress
}
