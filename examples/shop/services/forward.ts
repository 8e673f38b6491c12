// The page has one origin; the services behind it have addresses of their own. A proxy in front would do the same.
import type { FastifyInstance } from 'fastify'

/** What a service needs of a request, and no more. */
const DOWN = ['authorization', 'content-type', 'origin', 'sec-fetch-site', 'sec-fetch-mode', 'user-agent']
/** Never the refresh cookie: whoever has that has the session. */
const COOKIES = /^\s*__Host-(?:access|guest)=/
const UP = ['content-type', 'cache-control', 'www-authenticate', 'retry-after', 'vary']

/** @param prefix - `/cart`: this path and everything below it. */
export async function forward(app: FastifyInstance, prefix: string, to: string): Promise<void> {
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
    const handler = async (request: any, reply: any) => {
      const headers = DOWN.flatMap((name) => {
        const value = request.headers[name]
        return typeof value === 'string' ? [[name, value] as [string, string]] : []
      })
      const cookies = (request.headers.cookie ?? '').split(';').filter((cookie: string) => COOKIES.test(cookie))
      if (cookies.length > 0) headers.push(['cookie', cookies.join(';').trim()])
      let answer: Response
      try {
        const init = {
          method: request.method,
          headers,
          redirect: 'manual' as const,
          signal: AbortSignal.timeout(8_000),
        }
        answer = await fetch(`${to}${request.url}`, request.body ? { ...init, body: request.body } : init)
      } catch {
        return reply.code(503).header('retry-after', '1').send({ code: 'outcome_unknown' })
      }
      for (const name of UP) if (answer.headers.has(name)) reply.header(name, answer.headers.get(name))
      for (const cookie of answer.headers.getSetCookie()) reply.header('set-cookie', cookie)
      return reply.code(answer.status).send(Buffer.from(await answer.arrayBuffer()))
    }
    for (const url of [prefix, `${prefix}/*`]) scope.route({ method: ['GET', 'POST', 'DELETE'], url, handler })
  })
}
