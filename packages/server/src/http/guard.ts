import type { VerifyOptions } from 'countersign'
import {
  type Challenge,
  type Credentials,
  carriesCookies,
  findCredentials,
  type HttpRefused,
  ORIGIN_VARY,
  originEvidence,
  problemOf,
  readBearer,
  refuseRequest,
} from 'countersign/http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { contextOf, factsOf } from './facts.ts'
import type { Kit, ServerSession } from './kit.ts'
import { sendProblem } from './problems.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * What shows that a request uses the delivery `bearer`, where it says nothing of its origin: an access token in the
     * header (default), the refresh token in the body, either of them, the body's `delivery`, or what a program proves
     * itself by, which no browser adds to a request.
     */
    bearerBy?: 'header' | 'refresh_token' | 'header_or_refresh_token' | 'delivery' | 'client_assertion'
  }
  interface FastifyRequest {
    /** It says nothing of its origin, so only a session of the delivery `bearer` may be used or made by it. */
    originUnknown: boolean
  }
}

/**
 * Refuses unsafe requests that do not come from us. Before the body is read, what the headers alone decide; after it, the
 * requests that may do without proof only with the delivery `bearer`.
 */
export function addOriginCheck(app: FastifyInstance, kit: Kit): void {
  app.decorateRequest('originUnknown', false)
  app.addHook('onRequest', async (request, reply) => {
    const facts = factsOf(request)
    const evidence = originEvidence(facts, kit.settings.origins())
    if (evidence === 'not_needed') return undefined
    reply.header('vary', ORIGIN_VARY)
    request.originUnknown = evidence === 'unknown'
    if (evidence === 'foreign') return sendProblem(reply, problemOf(refuseRequest('origin_foreign')))
    if (evidence === 'unknown' && carriesCookies(facts, kit.cookieNames)) {
      return sendProblem(reply, problemOf(refuseRequest('origin_unproven')))
    }
    return undefined
  })
  app.addHook('preHandler', async (request, reply) => {
    if (!request.originUnknown || request.is404 || usesBearer(request)) return undefined
    return sendProblem(reply, problemOf(refuseRequest('origin_unproven')))
  })
}

function usesBearer(request: FastifyRequest): boolean {
  const by = request.routeOptions.config.bearerBy ?? 'header'
  const body = request.body as { delivery?: unknown; refreshToken?: unknown } | undefined
  if (by === 'client_assertion') return true
  if (by === 'delivery') return body?.delivery === 'bearer'
  if (by !== 'header' && body?.refreshToken !== undefined) return true
  if (by === 'refresh_token') return false
  const bearer = readBearer(factsOf(request))
  // A malformed header is let through to the route, whose answer says what is wrong with it.
  return !bearer.ok || bearer.token !== undefined
}

/** Whoever the access token belongs to, with the credentials of the request, or why nobody. */
export type Caller =
  | { readonly ok: true; readonly session: ServerSession; readonly credentials: Credentials }
  | HttpRefused

/** Finds and verifies the access token of a request. One store read. */
export async function callerOf(kit: Kit, request: FastifyRequest, demands: VerifyOptions = {}): Promise<Caller> {
  const credentials = findCredentials(factsOf(request), { names: kit.cookieNames })
  if (!credentials.ok) return credentials
  const checked = await kit.sessions.verify(credentials.access?.token ?? '', {
    ...demands,
    context: contextOf(request),
  })
  if (!checked.ok) return checked
  const { session } = checked
  if (request.originUnknown && session.delivery !== 'bearer') return refuseRequest('origin_unproven')
  return { ok: true, session, credentials }
}

/** How old an authentication may be for ending sessions and changing the password (ASVS 7.5.1, 7.5.2). */
export const RECENT = '10m'
/** The same, for the challenge. */
export const RECENT_CHALLENGE: Challenge = { maxAgeSeconds: 600 }
