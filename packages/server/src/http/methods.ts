import type { FastifyInstance } from 'fastify'
import { ownProblem, sendProblem } from './problems.ts'

/** Answers 405 with `Allow` where a path exists with other methods, else 404 (ASVS 4.1.4). TRACE exists nowhere. */
export function addMethodCheck(app: FastifyInstance): void {
  const known: { readonly pattern: RegExp; readonly methods: Set<string> }[] = []
  const byUrl = new Map<string, Set<string>>()
  app.addHook('onRoute', ({ url, method }) => {
    let methods = byUrl.get(url)
    if (!methods) {
      methods = new Set()
      byUrl.set(url, methods)
      known.push({ pattern: patternOf(url), methods })
    }
    for (const one of [method].flat()) methods.add(one)
  })
  app.setNotFoundHandler(async (request, reply) => {
    const path = request.raw.url!.split('?', 1)[0]!
    const methods = new Set(known.filter(({ pattern }) => pattern.test(path)).flatMap((route) => [...route.methods]))
    // Not with its own method: then the path was found and something below it was not.
    if (methods.size === 0 || methods.has(request.method)) return sendProblem(reply, ownProblem('not_found'))
    return sendProblem(reply, ownProblem('method_not_allowed', { allow: [...methods].sort().join(', ') }))
  })
}

/** `/auth/sessions/:id` as a regular expression. Our paths hold no other special characters than dots. */
function patternOf(url: string): RegExp {
  return new RegExp(`^${url.replaceAll('.', '\\.').replace(/:[a-z]+/g, '[^/]+')}$`)
}
