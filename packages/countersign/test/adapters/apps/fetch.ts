import { getRequestListener } from '@hono/node-server'
import type { AdapterSessions, Run, StartedApp } from 'countersign/conformance'
import { countersign } from 'countersign/fetch'
import { aboutSession, bodyOf, GUARDS, lateLines, linesOf, listen, OUTAGE, optionsFor, ROUTES } from './common.ts'

type Handler = (request: Request) => Promise<Response>

/** What serves `Request` and `Response` on Node: the same that runtimes with a server of their own have built in. */
export async function startFetch(sessions: AdapterSessions, run: Run): Promise<StartedApp> {
  let origins: readonly string[] = []
  const auth = countersign(optionsFor(sessions, () => origins))
  const routes = new Map<string, Handler>()
  for (const path of ROUTES) {
    routes.set(
      `GET ${path}`,
      auth.guard(GUARDS[path], (_request, { session }) => Response.json(aboutSession(session))),
    )
  }
  const [user, admin] = [{ roles: ['user'] as const }, { roles: ['admin'] as const }]
  routes.set('GET /guarded', (request) =>
    auth.guard({}, async (_outer, { session }) => {
      // Others as a middleware does it.
      const refused = (await auth.enter(request, user)) ?? (await auth.enter(request, admin))
      return refused ?? Response.json(aboutSession(session))
    })(request),
  )
  routes.set(
    'POST /change',
    auth.guard({}, (_, { session }) => Response.json({ subject: session.subject })),
  )
  routes.set(
    'POST /form',
    auth.guard({ form: true }, (_, { session }) => Response.json({ subject: session.subject })),
  )
  routes.set(
    'GET /stream',
    auth.guard({}, (_, { session }) => new Response(bodyOf(linesOf(session.subject)))),
  )
  routes.set(
    'GET /late',
    auth.guard({}, (_, about) => new Response(bodyOf(lateLines(() => about.check({ fresh: true }) as never)))),
  )
  routes.set(
    'GET /outage',
    auth.guard(OUTAGE, (_, { session, degraded }) =>
      Response.json({ subject: (degraded ?? session).subject, degraded: degraded !== undefined }),
    ),
  )
  routes.set('GET /form', async (request) => {
    const about = auth.of(request)
    await about.check()
    return auth.withCookies(request, Response.json({ token: about.formToken() }))
  })

  const answer: Handler = async (request) => {
    const handled = await auth.handle(request)
    if (handled) return handled
    const method = request.method === 'HEAD' ? 'GET' : request.method
    const route = routes.get(`${method} ${new URL(request.url).pathname}`)
    return route ? route(request) : new Response(null, { status: 404 })
  }
  const listener = getRequestListener(answer as never, { errorHandler: () => new Response(null, { status: 500 }) })
  const app = await listen(listener as never, run)
  origins = [app.origin]
  return app
}
