import type { Delivery } from '../session/record.ts'
import { type CookieNames, type CookieRules, rulesOf } from './cookie-options.ts'
import { carriesCookies, carriesFormer } from './cookies.ts'
import type { RequestFacts } from './request.ts'
import { checkBudget, expireCookie, expireFormer, setCookie } from './set-cookie.ts'

/** What `issue`, `refresh` or `stepUp` gave, as far as handing it out needs it. */
export interface Handing {
  readonly session: { readonly delivery: Delivery; readonly persistent: boolean; readonly expiresAtMs: number }
  readonly accessToken: string
  readonly accessExpiresAtMs: number
  readonly refreshToken?: string
  readonly refreshExpiresAtMs?: number
  readonly rotation: 'first' | 'rotated' | 'replayed' | 'current'
}

/** Credentials on their way to a client. */
export interface HandedOut {
  /** `Set-Cookie` lines. */
  readonly cookies: readonly string[]
  /** Members of the body. */
  readonly body: {
    /** Not with the delivery `cookie`. */
    readonly accessToken?: string
    /** Seconds until the access token ends. */
    readonly expiresIn: number
    /** Only with the delivery `bearer`. */
    readonly refreshToken?: string
  }
}

/**
 * Hands out credentials the way the session was opened: `cookie` both as cookies, `browser` the access token in the body
 * and the refresh token as a cookie, `bearer` both in the body.
 *
 * @param to.nowMs - Store time.
 * @param to.request - Given where a session is opened: a cookie of another delivery, or of an earlier release, that it carries
 * is expired, or the browser would go on sending two credentials at once.
 * @throws CountersignError `ERR_COOKIE_TOO_LARGE` when one cookie, or all of them together, are over 4 096 bytes.
 */
export function handOut(
  issued: Handing,
  to: { readonly names: CookieNames | CookieRules; readonly nowMs: number; readonly request?: RequestFacts },
): HandedOut {
  const { session, accessToken, refreshToken } = issued
  const rules = rulesOf(to.names)
  const seconds = (untilMs: number) => Math.max(0, Math.floor((untilMs - to.nowMs) / 1_000))
  const body = { expiresIn: seconds(issued.accessExpiresAtMs) }
  const stale = to.request !== undefined && carriesCookies(to.request, rules)
  const former = to.request !== undefined && carriesFormer(to.request, rules) ? expireFormer(rules) : []
  if (session.delivery === 'bearer') {
    const cookies = stale ? [expireCookie('access', rules), expireCookie('refresh', rules)] : []
    return {
      cookies: [...cookies, ...former],
      body: { ...body, accessToken, ...(refreshToken !== undefined && { refreshToken }) },
    }
  }
  const persistent = session.persistent && { maxAgeSeconds: seconds(issued.refreshExpiresAtMs ?? session.expiresAtMs) }
  const cookie = { names: rules, ...persistent }
  const cookies: string[] = []
  if (session.delivery === 'cookie') cookies.push(setCookie('access', accessToken, cookie))
  // A token that was only repeated is not written: this answer may be late, and would put an older cookie back.
  const repeated = issued.rotation === 'current'
  if (refreshToken !== undefined && !repeated) cookies.push(setCookie('refresh', refreshToken, cookie))
  checkBudget(cookies, repeated ? rules.refresh.length + (refreshToken?.length ?? 0) : 0)
  if (session.delivery === 'browser' && stale) cookies.unshift(expireCookie('access', rules))
  return {
    cookies: [...cookies, ...former],
    body: session.delivery === 'browser' ? { ...body, accessToken } : body,
  }
}
