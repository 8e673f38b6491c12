import { CLEAR_SITE_DATA, carriesCookies, expireCookie, handOut } from 'countersign/http'
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
 * Hands out credentials the way the session was opened.
 *
 * @param request - Given where a session is opened: a cookie of another delivery that it carries is expired, or the
 * browser would go on sending two credentials at once.
 */
export function deliver(kit: Kit, reply: FastifyReply, issued: ServerIssued, request?: FastifyRequest): Delivered {
  const { session } = issued
  const { cookies, body } = handOut(issued, {
    names: kit.cookieNames,
    nowMs: kit.nowMs(),
    ...(request && { request: factsOf(request) }),
  })
  if (cookies.length > 0) reply.header('set-cookie', cookies)
  return { session: sessionView(session, session.sessionId), ...body }
}

/** Takes everything back from a browser that this server gave it (ASVS 14.3.1). */
export function clearBrowser(kit: Kit, request: FastifyRequest, reply: FastifyReply): void {
  reply.header('clear-site-data', CLEAR_SITE_DATA)
  if (!carriesCookies(factsOf(request), kit.cookieNames)) return
  reply.header('set-cookie', [expireCookie('access', kit.cookieNames), expireCookie('refresh', kit.cookieNames)])
}
