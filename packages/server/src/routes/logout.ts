import type { Ended } from 'countersign'
import { problemOf, refuseRequest, sessionsToEnd } from 'countersign/http'
import { Type } from 'typebox'
import { clearBrowser } from '../http/deliver.ts'
import { contextOf, factsOf } from '../http/facts.ts'
import type { Kit } from '../http/kit.ts'
import { sendProblem } from '../http/problems.ts'
import { type App, closed, EndedSchema, NoQuery, Nothing, ProblemSchema } from '../http/schemas.ts'
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
    const named = await sessionsToEnd(kit.sessions, factsOf(request), { names: kit.cookieNames, refreshToken })
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
