import { getRequestListener } from '@hono/node-server'
import type { AdapterSessions, Run, StartedApp } from 'countersign/conformance'
import { type AuthEnv, countersign } from 'countersign/hono'
import { Hono } from 'hono'
import { aboutSession, bodyOf, GUARDS, lateLines, linesOf, listen, OUTAGE, optionsFor, ROUTES } from './common.ts'

export async function startHono(sessions: AdapterSessions, run: Run): Promise<StartedApp> {
  let origins: readonly string[] = []
  const auth = countersign(optionsFor(sessions, () => origins))
  const app = new Hono<AuthEnv<AdapterSessions>>()
  app.use(auth)
  for (const path of ROUTES) app.get(path, auth.guard(GUARDS[path]), (c) => c.json(aboutSession(c.var.auth.session)))
  app.get('/guarded', auth.guard(), auth.guard({ roles: ['user'] }), auth.guard({ roles: ['admin'] }), (c) =>
    c.json(aboutSession(c.var.auth.session)),
  )
  app.post('/change', auth.guard(), (c) => c.json({ subject: c.var.auth.session?.subject }))
  app.post('/form', auth.guard({ form: true }), (c) => c.json({ subject: c.var.auth.session?.subject }))
  app.get('/stream', auth.guard(), (c) => new Response(bodyOf(linesOf(c.var.auth.session!.subject))))
  app.get('/late', auth.guard(), (c) => c.body(bodyOf(lateLines(() => c.var.auth.check({ fresh: true }) as never))))
  app.get('/outage', auth.guard(OUTAGE), (c) => {
    const { session, degraded } = c.var.auth
    return c.json({ subject: (session ?? degraded)?.subject, degraded: degraded !== undefined })
  })
  app.get('/form', async (c) => {
    await c.var.auth.check()
    return c.json({ token: c.var.auth.formToken() })
  })
  // No `onError`: faults of ours know their answer.
  const started = await listen(getRequestListener(app.fetch as never) as never, run)
  origins = [started.origin]
  return started
}
