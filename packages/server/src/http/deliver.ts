import { carriesCookies, expireCookie, setCookie } from 'countersign/http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { factsOf } from './facts.ts'
import type { Kit, ServerSessions } from './kit.ts'
import type { SessionView } from './view-schemas.ts'
import { sessionView } from './views.ts'

type ServerIssued = Extract<Awaited<ReturnType<ServerSessions['issue']>>, { ok: true }>

/** The answer of login, refresh, step-up and password change. */
export interface Delivered {
  readonly session: SessionView
  /** Not with the delivery `cookie`. */
  readonly accessToken?: string
  /** Seconds until the access token ends. */
  readonly expiresIn: number
  /** Only with the delivery `bearer`. */
  readonly refreshToken?: string
}

/**
 * Hands out credentials the way the session was opened: `cookie` both as cookies, `browser` the access token in the body
 * and the refresh token as a cookie, `bearer` both in the body.
 *
 * @param request - Given where a session is opened: a cookie of another delivery that it carries is expired, or the
 * browser would go on sending two credentials at once.
 */
export function deliver(kit: Kit, reply: FastifyReply, issued: ServerIssued, request?: FastifyRequest): Delivered {
  const { session, accessToken, refreshToken } = issued
  const nowMs = kit.nowMs()
  const seconds = (untilMs: number) => Math.max(0, Math.floor((untilMs - nowMs) / 1_000))
  const body: Delivered = {
    session: sessionView(session, session.sessionId),
    expiresIn: seconds(issued.accessExpiresAtMs),
  }
  const stale = request !== undefined && carriesCookies(factsOf(request), kit.cookieNames)
  if (session.delivery === 'bearer') {
    if (stale)
      reply.header('set-cookie', [expireCookie('access', kit.cookieNames), expireCookie('refresh', kit.cookieNames)])
    return { ...body, accessToken, ...(refreshToken !== undefined && { refreshToken }) }
  }
  const persistent = session.persistent && { maxAgeSeconds: seconds(issued.refreshExpiresAtMs ?? session.expiresAtMs) }
  const cookie = { names: kit.cookieNames, ...persistent }
  const cookies: string[] = []
  if (session.delivery === 'cookie') cookies.push(setCookie('access', accessToken, cookie))
  else if (stale) cookies.push(expireCookie('access', kit.cookieNames))
  // A token that was only repeated is not written: this answer may be late, and would put an older cookie back.
  if (refreshToken !== undefined && issued.rotation !== 'current')
    cookies.push(setCookie('refresh', refreshToken, cookie))
  if (cookies.length > 0) reply.header('set-cookie', cookies)
  return session.delivery === 'browser' ? { ...body, accessToken } : body
}

/** Takes everything back from a browser that this server gave it (ASVS 14.3.1). */
export function clearBrowser(kit: Kit, request: FastifyRequest, reply: FastifyReply): void {
  reply.header('clear-site-data', '"cache", "cookies", "storage"')
  if (!carriesCookies(factsOf(request), kit.cookieNames)) return
  reply.header('set-cookie', [expireCookie('access', kit.cookieNames), expireCookie('refresh', kit.cookieNames)])
}
