import type { Platform } from './platform.ts'
import { stopwatch } from './stopwatch.ts'
import type { Tab } from './tab.ts'
import { credentialsIn } from './tabs.ts'
import type { Exchanged, SessionClientOptions, SessionPaths } from './types.ts'
import { bearer, post, problemIn, reasonOf } from './wire.ts'

/** Requests that carry the access token, and those that replace it. */
export function createRequests(
  platform: Platform,
  tab: Tab,
  path: (name: keyof SessionPaths) => string,
  options: SessionClientOptions,
) {
  async function authFetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    const base = platform.baseUrl()
    const request = new Request(input instanceof Request ? input : new URL(input, base), init)
    const { origin } = new URL(request.url)
    const isOurs = origin === new URL(base).origin || options.origins?.includes(origin)
    if (!isOurs || request.headers.has('authorization')) return platform.fetch(request)
    return send(request, init?.body instanceof ReadableStream ? undefined : request.clone())
  }

  /** @param spare - The same request once more, as long as it may be repeated. */
  async function send(request: Request, spare?: Request): Promise<Response> {
    const outage = await tab.ready()
    if (outage) return outage()
    const subject = tab.session()?.subject
    const token = tab.token(true)
    if (token) request.headers.set('authorization', bearer(token))
    const response = await platform.fetch(request)
    const problem = response.status === 401 && (await problemIn(response))
    if (!problem) return response
    // Without a remedy: the signature was wrong. Its key may have been withdrawn, and the refresh token be good.
    const { code, remedy = code === 'invalid_token' ? 'refresh' : 'none' } = problem
    let isWorthIt: boolean | undefined
    if (remedy === 'step_up') isWorthIt = spare && (await options.onStepUp?.(problem))
    // Not `bad_credentials`: there it is a password that was wrong, and not the token.
    else if (remedy !== 'none' && (code === 'invalid_token' || code === 'unauthenticated')) {
      // Once another token has come, this one is not what matters.
      if (tab.token() === token) {
        const outage = remedy === 'refresh' ? await tab.renew() : tab.leave(reasonOf(problem))
        if (outage) return outage()
      }
      isWorthIt = tab.token() !== token
    }
    // Never for somebody else than it was meant for.
    const isSame = tab.token() && tab.session()?.subject === subject
    return isWorthIt && isSame && spare ? send(spare) : response
  }

  /** A request for other credentials. A login needs no token, and shows whether cookies are kept. */
  async function exchange(to: string, body: object, isLogin?: boolean): Promise<Exchanged> {
    const outage = isLogin ? undefined : await tab.ready()
    return tab.alone(async () => {
      const oldMs = stopwatch(platform)
      const response = outage ? outage() : await post(platform, to, body, isLogin ? undefined : tab.token())
      const { status } = response
      const problem = await problemIn(response)
      if (problem) return { ok: false, reason: reasonOf(problem), status, problem }
      const credentials = await credentialsIn(response)
      if (!credentials) return { ok: false, reason: 'failed', status }
      if (isLogin && !(await keepsCookie())) {
        await post(platform, path('logout'), undefined, credentials.accessToken)
        options.onWarning?.('cookies_blocked')
        tab.leave('cookies_blocked')
        return { ok: false, reason: 'cookies_blocked', status: 0 }
      }
      tab.enter(credentials, oldMs(), true)
      const { session, durability } = credentials
      return { ok: true, session, ...(durability && { durability }) }
    })
  }

  /** A refresh just after a login hands out what is there already, if the cookie came back. */
  async function keepsCookie(): Promise<boolean> {
    const response = await post(platform, path('refresh')).catch(() => undefined)
    return !response || (await problemIn(response))?.reason !== 'missing'
  }

  function logout(): Promise<boolean> {
    return tab.alone(async () => {
      const response = await post(platform, path('logout'), undefined, tab.token())
      const { status } = response
      // 400 and 401: there was nothing left to end, and the cookies have been expired. What is no answer of ours ended nothing.
      const isDone = status === 202 || status === 204 || ([400, 401].includes(status) && !!(await problemIn(response)))
      if (isDone) tab.leave('logout')
      return isDone
    })
  }
  return { authFetch, exchange, logout }
}
