import { pipeline } from 'node:stream/promises'
import type { AdapterSessions, Run, StartedApp } from 'countersign/conformance'
import { countersign } from 'countersign/express'
import express from 'express'
import { aboutSession, GUARDS, lateLines, linesOf, listen, OUTAGE, optionsFor, ROUTES } from './common.ts'

export async function startExpress(sessions: AdapterSessions, run: Run): Promise<StartedApp> {
  let origins: readonly string[] = []
  const auth = countersign(optionsFor(sessions, () => origins))
  const app = express()
  app.use(auth)
  for (const path of ROUTES) {
    app.get(path, auth.guard(GUARDS[path]), (request, response) => void response.json(aboutSession(session(request))))
  }
  const three = [auth.guard(), auth.guard({ roles: ['user'] }), auth.guard({ roles: ['admin'] })]
  app.get('/guarded', ...three, (request, response) => void response.json(aboutSession(session(request))))
  app.post('/change', auth.guard(), (request, response) => void response.json({ subject: session(request)?.subject }))
  app.post('/form', auth.guard({ form: true }), (request, response) => {
    response.json({ subject: session(request)?.subject })
  })
  app.get('/stream', auth.guard(), async (request, response) => {
    if (request.method === 'HEAD') return void response.end()
    await pipeline(linesOf(session(request)!.subject), response)
  })
  app.get('/late', auth.guard(), async (request, response) => {
    for await (const line of lateLines(() => request.auth.check({ fresh: true }) as never)) response.write(line)
    response.end()
  })
  app.get('/outage', auth.guard(OUTAGE), (request, response) => {
    const { degraded } = request.auth
    response.json({ subject: (session(request) ?? degraded)?.subject, degraded: degraded !== undefined })
  })
  app.get('/form', async (request, response) => {
    await request.auth.check()
    response.json({ token: request.auth.formToken() })
  })
  app.use(auth.errors)
  // Errors that are not ours: Express prints them where no handler of the application does.
  app.use(((error, _request, response, next) => {
    if (response.headersSent) response.destroy()
    else next(error)
  }) as express.ErrorRequestHandler)
  const started = await listen(app as never, run)
  origins = [started.origin]
  return started
}

const session = (request: express.Request) =>
  request.auth.session as { subject: string; sessionId: string; roles: readonly string[] } | undefined
