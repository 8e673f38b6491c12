import { pipeline } from 'node:stream/promises'
import type { AdapterSessions, Run, StartedApp } from 'countersign/conformance'
import { countersign } from 'countersign/node-http'
import { aboutSession, GUARDS, lateLines, linesOf, listen, OUTAGE, optionsFor } from './common.ts'

export async function startNodeHttp(sessions: AdapterSessions, run: Run): Promise<StartedApp> {
  let origins: readonly string[] = []
  const auth = countersign(optionsFor(sessions, () => origins))
  const app = await listen(async (request, response) => {
    const json = (body: object) => {
      response.setHeader('content-type', 'application/json')
      response.end(request.method === 'HEAD' ? undefined : JSON.stringify(body))
    }
    const method = request.method === 'HEAD' ? 'GET' : request.method
    const path = (request.url ?? '').split('?')[0]!
    const isHead = request.method === 'HEAD'
    try {
      if (await auth.handle(request, response)) return
      if (method === 'GET' && Object.hasOwn(GUARDS, path)) {
        const session = await auth.enter(request, response, GUARDS[path as keyof typeof GUARDS])
        return session && json(aboutSession(session))
      }
      switch (`${method} ${path}`) {
        case 'GET /guarded':
          for (const demands of [undefined, { roles: ['user'] as const }, { roles: ['admin'] as const }])
            if (!(await auth.enter(request, response, demands))) return
          return json(aboutSession(auth.of(request).session))
        case 'POST /change':
        case 'POST /form': {
          const session = await auth.enter(request, response, path === '/form' ? { form: true } : {})
          return session && json({ subject: session.subject })
        }
        case 'GET /stream': {
          const session = await auth.enter(request, response)
          if (!session) return
          return isHead ? response.end() : await pipeline(linesOf(session.subject), response)
        }
        case 'GET /late':
          if (!(await auth.enter(request, response))) return
          return await pipeline(
            lateLines(() => auth.of(request).check({ fresh: true }) as never),
            response,
          )
        case 'GET /outage': {
          const session = await auth.enter(request, response, OUTAGE)
          const { degraded } = auth.of(request)
          if (response.writableEnded) return
          return json({ subject: (session ?? degraded)?.subject, degraded: degraded !== undefined })
        }
        case 'GET /form':
          await auth.of(request, response).check()
          return json({ token: auth.of(request).formToken() })
        default:
          response.statusCode = 404
          return response.end()
      }
    } catch (error) {
      auth.fail(error, response)
    }
  }, run)
  origins = [app.origin]
  return app
}
