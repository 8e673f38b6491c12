import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Answer } from '../core/answer.ts'
import { Exchange } from '../core/exchange.ts'
import { WebFault } from '../core/fault.ts'
import type { GuardOptions } from '../core/guard.ts'
import { NodeSource, withVary } from '../core/node.ts'
import type { WebOptions } from '../core/options.ts'
import type { Auth, RoleIn, SignIn, WebSessions } from '../core/types.ts'
import { createWeb } from '../core/web.ts'

/** State of an application: `new Koa<KoaState<typeof sessions>>()` gives `ctx.state.auth` its type. */
export interface KoaState<V extends WebSessions> {
  auth: Auth<V>
}

/**
 * The part of a context of Koa that is used here. Not imported: the types of Koa do not compile in every project, and what a
 * middleware is takes three lines.
 */
export interface KoaContext {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly originalUrl: string
  readonly request: object
  readonly response: { get(field: string): unknown }
  readonly headerSent: boolean
  readonly app: { emit(event: 'error', error: unknown, ctx: unknown): unknown }
  state: any
  status: number
  body: unknown
  set(fields: any): void
  set(field: string, value: any): void
  append(field: string, value: string | string[]): void
}

type Next = () => Promise<unknown>
/** A middleware of Koa, on an application with {@link KoaState}. */
export type KoaMiddleware<V extends WebSessions> = (
  ctx: KoaContext & { state: KoaState<V> },
  next: Next,
) => Promise<void>

/** Countersign for Koa: `app.use(auth)`, then `router.get('/orders', auth.guard({ roles: ['user'] }), …)`. */
export interface KoaAuth<V extends WebSessions> {
  (ctx: KoaContext & { state: KoaState<V> }, next: Next): Promise<void>
  /** Lets in who fulfils the demands; `ctx.state.auth.session` is there then. Faults are thrown, with the status that Koa answers. */
  guard(options?: GuardOptions<RoleIn<V>>): KoaMiddleware<V>
  /** Opens a session for somebody who has proved who they are: the answer is JSON, or sends the browser to `to`. */
  signIn(ctx: KoaContext, who: SignIn<V>, to?: string): Promise<void>
  /** Ends the session of a request. */
  signOut(ctx: KoaContext, to?: string): Promise<void>
  /** Answers faults of ours as `application/problem+json`. Use it before everything else; other errors are thrown on. */
  readonly errors: (ctx: KoaContext, next: Next) => Promise<void>
}

/**
 * @throws CountersignError `ERR_CONFIG_INVALID`, `ERR_CONFIG_UNSAFE`, naming the option.
 * @example
 * const auth = countersign({ sessions, origins: ['https://app.example.com'], ...passwordLogin(accounts) })
 * const app = new Koa<KoaState<typeof sessions>>()
 * app.use(auth.errors)
 * app.use(auth)
 */
export function countersign<V extends WebSessions>(options: WebOptions<V>): KoaAuth<V> {
  const web = createWeb(options)
  const exchangeOf = (ctx: KoaContext): Exchange => {
    const there: unknown = ctx.state.auth
    if (there instanceof Exchange && there.kit === web.kit) return there
    const exchange = web.exchange(new NodeSource(ctx.req, ctx.request, ctx.res))
    ctx.state.auth = exchange
    return exchange
  }

  const middleware = async (ctx: KoaContext, next: Next): Promise<void> => {
    const exchange = exchangeOf(ctx)
    if (!web.handlers.has(ctx.originalUrl)) return void (await next())
    write(ctx, await web.handlers.handle(exchange))
  }
  return Object.assign(middleware, {
    guard(demands?: GuardOptions) {
      const guard = web.guard(demands)
      return async (ctx: KoaContext, next: Next): Promise<void> => {
        const entered = guard.enter(exchangeOf(ctx))
        const answer = entered instanceof Promise ? await entered : entered
        if (answer !== undefined) return write(ctx, answer)
        if (!guard.cacheable && !ctx.headerSent && !ctx.response.get('cache-control')) ctx.set(PRIVATE)
        await next()
      }
    },
    async signIn(ctx: KoaContext, who: SignIn<V>, to?: string) {
      write(ctx, await web.signIn(exchangeOf(ctx), who, to))
    },
    async signOut(ctx: KoaContext, to?: string) {
      write(ctx, await web.signOut(exchangeOf(ctx), to))
    },
    async errors(ctx: KoaContext, next: Next) {
      try {
        await next()
      } catch (error) {
        if (!(error instanceof WebFault) || ctx.headerSent) throw error
        write(ctx, error.toAnswer())
        // As Koa does with what it answers itself.
        ctx.app.emit('error', error, ctx)
      }
    },
  }) as unknown as KoaAuth<V>
}

const PRIVATE = { 'cache-control': 'no-store' }

function write(ctx: KoaContext, answer: Answer): void {
  if (ctx.headerSent) throw new Error('the answer had begun before the request was refused')
  ctx.status = answer.status
  const { vary, ...headers } = answer.headers
  ctx.set(headers)
  if (vary !== undefined) ctx.set('vary', withVary(ctx.response.get('vary'), vary))
  for (const line of answer.cookies) ctx.append('set-cookie', line)
  if (answer.status !== 204) ctx.body = answer.body
}
