import { BOUNCE_SCRIPT } from '../../http/bounce.ts'
import { ORIGIN_VARY } from '../../http/origin-proof.ts'
import { problem } from '../../http/problem.ts'
import { ANSWER_HEADERS } from '../../http/security-headers.ts'
import { type Answer, problemAnswer, withHeaders } from './answer.ts'
import type { Exchange } from './exchange.ts'
import { withFaults } from './fault.ts'
import { login, reauth } from './login.ts'
import { logout } from './logout.ts'
import type { Kit } from './options.ts'
import { refresh } from './refresh.ts'
import { pathOf } from './refusal.ts'

type Handler = (exchange: Exchange) => Promise<Answer>

/** The handlers of an application by their paths. */
export interface Handlers {
  /** Whether a request is for one of them: by its target, path and query. */
  has(target: string): boolean
  /** @throws WebFault when the store did not answer. Rejects only with faults. */
  handle(exchange: Exchange): Promise<Answer>
  /** Path and method of each. */
  readonly routes: readonly { readonly method: 'GET' | 'POST'; readonly path: string; readonly what: Route }[]
}
export type Route = 'login' | 'refresh' | 'logout' | 'reauth' | 'bounce'

export function createHandlers(kit: Kit): Handlers {
  const { basePath, sessions } = kit
  const byPath = new Map<string, { readonly what: Route; readonly method: 'GET' | 'POST'; readonly handler: Handler }>()
  const post = (what: Route, handler: Handler) =>
    byPath.set(`${basePath}/${what}`, { what, method: 'POST', handler: answered(handler) })
  if (kit.authenticate && sessions.issue) post('login', login)
  if (kit.reauthenticate && sessions.stepUp) post('reauth', reauth)
  // Without `issue` nobody has a session of ours here.
  if (sessions.issue) {
    post('refresh', refresh)
    if (sessions.revoke) post('logout', logout)
    byPath.set(`${basePath}/bounce.js`, { what: 'bounce', method: 'GET', handler: async () => SCRIPT })
  }
  // Most requests are for others: those are told apart by their first characters.
  const prefix = `${basePath}/`
  const find = (target: string) => (target.startsWith(prefix) ? byPath.get(pathOf(target)) : undefined)
  return {
    has: (target) => find(target) !== undefined,
    handle(exchange) {
      const { source } = exchange
      const found = find(source.target)
      if (!found) return Promise.resolve(problemAnswer(problem(404, 'not_found', { title: 'There is nothing here' })))
      const method = source.method === 'HEAD' ? 'GET' : source.method
      if (method !== found.method) return Promise.resolve(wrongMethod(found.method))
      return withFaults(found.handler(exchange))
    },
    routes: [...byPath].map(([path, { method, what }]) => ({ method, path, what })),
  }
}

/** Every unsafe answer depends on where the request came from. */
const answered =
  (handler: Handler): Handler =>
  async (exchange) =>
    withHeaders(await handler(exchange), { vary: ORIGIN_VARY })

function wrongMethod(method: 'GET' | 'POST'): Answer {
  const allow = method === 'GET' ? 'GET, HEAD' : method
  return problemAnswer(problem(405, 'method_not_allowed', { title: 'This cannot be done with it' }, { allow }))
}

const SCRIPT: Answer = {
  status: 200,
  headers: {
    ...ANSWER_HEADERS,
    'content-type': 'text/javascript; charset=utf-8',
    // Holds nothing of anybody.
    'cache-control': 'public, max-age=3600',
  },
  cookies: [],
  body: BOUNCE_SCRIPT,
}
