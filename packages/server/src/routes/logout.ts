import type { Ended, Explanation, Refused, SessionId } from 'countersign'
import {
  allCookies,
  type Credentials,
  findCredentials,
  type HttpRefused,
  problemOf,
  type RequestFacts,
  readBearer,
  refuseRequest,
} from 'countersign/http'
import { Type } from 'typebox'
import { clearBrowser } from '../http/deliver.ts'
import { contextOf, factsOf } from '../http/facts.ts'
import type { Kit } from '../http/kit.ts'
import { sendProblem } from '../http/problems.ts'
import { type App, closed, EndedSchema, NoQuery, Nothing, ProblemSchema } from '../http/schemas.ts'
import { sessionsBehind } from '../http/sessions-behind.ts'
import { endedView } from '../http/views.ts'

/**
 * `POST /auth/logout`: ends the session of every credential that is genuine, access token or refresh token, and empties
 * the browser. Needs no recent login, and an access token that has just expired does not matter when the refresh token
 * is there. A session that is over already is answered like one that was not: it was to be gone, and it is.
 */
export function logout(app: App, kit: Kit): void {
  const schema = {
    summary: 'End this session',
    body: Type.Object({ refreshToken: Type.Optional(Type.String({ minLength: 1 })) }, closed),
    querystring: NoQuery,
    response: { 202: EndedSchema, 204: Nothing, '4xx': ProblemSchema, '5xx': ProblemSchema },
  }
  app.post('/auth/logout', { schema, config: { bearerBy: 'header_or_refresh_token' } }, async (request, reply) => {
    const { refreshToken } = request.body
    const facts = factsOf(request)
    const credentials = findCredentials(facts, { names: kit.cookieNames, refreshToken })
    const named = credentials.ok ? await sessionsOf(kit, credentials) : await sessionsOfAll(kit, facts, credentials)
    if (!named.ok) {
      // The one route where a refusal clears cookies: they were to go, and they are of no use.
      clearBrowser(kit, request, reply)
      return sendProblem(reply, problemOf(named))
    }
    for (const id of request.originUnknown ? named.ids : []) {
      const found = await kit.sessions.get(id)
      if (found.ok && found.session.delivery !== 'bearer') {
        return sendProblem(reply, problemOf(refuseRequest('origin_unproven')))
      }
    }
    let queued: Ended | undefined
    for (const id of named.ids) {
      const done = await kit.sessions.revoke(id, { reason: 'logout', context: contextOf(request) })
      if (done.durability === 'queued') queued = done
    }
    clearBrowser(kit, request, reply)
    // This server refuses it from now on, and goes on asking the store: accepted, and not done.
    return queued ? reply.code(202).send(endedView(queued)) : reply.code(204).send(null)
  })
}

/**
 * The request is wrong: one credential came twice, or two cookies have one name. To log out is still what it asks for,
 * and emptying the browser while a session lives on would be the worst answer, so whatever is genuine in it is ended.
 */
async function sessionsOfAll(kit: Kit, facts: RequestFacts, refused: HttpRefused) {
  const bearer = readBearer(facts)
  const tokens = [...(bearer.ok && bearer.token ? [bearer.token] : []), ...allCookies(facts, kit.cookieNames)]
  const ids = await sessionsBehind(kit, tokens)
  return ids.size > 0 ? ({ ok: true, ids } as const) : refused
}

const ACCESS: ReadonlySet<Explanation['kind']> = new Set(['access_token', 'opaque_token'])
const REFRESH: ReadonlySet<Explanation['kind']> = new Set(['refresh_token'])
const MISSING: Refused = { ok: false, reason: 'missing', remedy: 'sign_in' }
/** A session id is not a credential, and a token of one kind is not one of the other. */
const WRONG_KIND: Refused = { ok: false, reason: 'malformed', remedy: 'sign_in' }

/** The sessions that the credentials belong to, or the first refusal when none of them is genuine. */
async function sessionsOf(
  kit: Kit,
  credentials: Credentials,
): Promise<{ readonly ok: true; readonly ids: ReadonlySet<SessionId> } | HttpRefused> {
  const ids = new Set<SessionId>()
  let refused: Refused | undefined
  for (const [credential, kinds] of [[credentials.access, ACCESS] as const, [credentials.refresh, REFRESH] as const]) {
    if (!credential) continue
    const { kind, sessionId, refusal } = await kit.sessions.explain(credential.token)
    if (kinds.has(kind) && sessionId !== undefined) ids.add(sessionId)
    else refused ??= (kinds.has(kind) && refusal) || WRONG_KIND
  }
  return ids.size > 0 ? { ok: true, ids } : (refused ?? MISSING)
}
