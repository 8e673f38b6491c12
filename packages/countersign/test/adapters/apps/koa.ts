import { Readable } from 'node:stream'
import type { AdapterSessions, Run, StartedApp } from 'countersign/conformance'
import { countersign, type KoaMiddleware, type KoaState } from 'countersign/koa'
import Koa from 'koa'
import { aboutSession, GUARDS, lateLines, linesOf, listen, OUTAGE, optionsFor, ROUTES } from './common.ts'

type Handler = KoaMiddleware<AdapterSessions>

/** Without a router, whose part of it is nothing but this. */
export async function startKoa(sessions: AdapterSessions, run: Run): Promise<StartedApp> {
  let origins: readonly string[] = []
  const auth = countersign(optionsFor(sessions, () => origins))
  const app = new Koa<KoaState<AdapterSessions>>()
  app.silent = true
  app.use(auth.errors)
  app.use(auth)
  const route = (method: string, path: string, ...handlers: Handler[]) =>
    app.use(async (ctx, next) => {
      const isFor = ctx.path === path && (ctx.method === method || (ctx.method === 'HEAD' && method === 'GET'))
      if (!isFor) return next()
      const from = (i: number): Promise<void> => handlers[i]?.(ctx as never, () => from(i + 1)) ?? Promise.resolve()
      return from(0)
    })
  const about: Handler = async (ctx) => {
    ctx.body = aboutSession(ctx.state.auth.session)
  }
  const subject: Handler = async (ctx) => {
    ctx.body = { subject: ctx.state.auth.session?.subject }
  }
  for (const path of ROUTES) route('GET', path, auth.guard(GUARDS[path]), about)
  route('GET', '/guarded', auth.guard(), auth.guard({ roles: ['user'] }), auth.guard({ roles: ['admin'] }), about)
  route('POST', '/change', auth.guard(), subject)
  route('POST', '/form', auth.guard({ form: true }), subject)
  route('GET', '/stream', auth.guard(), async (ctx) => {
    ctx.body = Readable.from(linesOf(ctx.state.auth.session!.subject))
  })
  route('GET', '/late', auth.guard(), async (ctx) => {
    ctx.body = Readable.from(lateLines(() => ctx.state.auth.check({ fresh: true }) as never))
  })
  route('GET', '/outage', auth.guard(OUTAGE), async (ctx) => {
    const { session, degraded } = ctx.state.auth
    ctx.body = { subject: (session ?? degraded)?.subject, degraded: degraded !== undefined }
  })
  route('GET', '/form', async (ctx) => {
    await ctx.state.auth.check()
    ctx.body = { token: ctx.state.auth.formToken() }
  })
  const started = await listen(app.callback() as never, run)
  origins = [started.origin]
  return started
}
