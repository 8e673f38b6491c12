import { findCredentials, problem, problemOf, refuseRequest } from 'countersign/http'
import { Type } from 'typebox'
import { deliver } from '../http/deliver.ts'
import { contextOf, factsOf } from '../http/facts.ts'
import type { Kit } from '../http/kit.ts'
import { sendProblem } from '../http/problems.ts'
import { type App, closed, NoQuery, ProblemSchema } from '../http/schemas.ts'
import { DeliveredSchema } from '../http/view-schemas.ts'

/** `POST /auth/refresh`: refresh token, from the cookie or the body, to fresh credentials of the same delivery. */
export function refresh(app: App, kit: Kit): void {
  const Body = Type.Object({ refreshToken: Type.Optional(Type.String({ minLength: 1 })) }, closed)
  const schema = {
    summary: 'Exchange the refresh token',
    body: Body,
    querystring: NoQuery,
    response: { 200: DeliveredSchema, '4xx': ProblemSchema, '5xx': ProblemSchema },
  }
  app.post('/auth/refresh', { schema, config: { bearerBy: 'refresh_token' } }, async (request, reply) => {
    if (kit.settings.strategy === 'opaque') {
      const detail = 'the strategy opaque has no refresh token: using the session keeps it alive'
      return sendProblem(reply, problem(501, 'not_supported', { detail }))
    }
    const credentials = findCredentials(factsOf(request), {
      names: kit.cookieNames,
      refreshToken: request.body.refreshToken,
    })
    if (!credentials.ok) return sendProblem(reply, problemOf(credentials))
    const token = credentials.refresh?.token ?? ''
    const issued = await kit.sessions.refresh(token, { context: contextOf(request) })
    // A refusal never clears a cookie: this may be the loser of a race, and the winner's cookie is already there.
    if (!issued.ok) {
      // Another tab of this browser stepped up: the cookie jar has the new token by now, so asking once more helps.
      const inJar = credentials.refresh?.from === 'cookie' && issued.endedBy === 'replaced'
      return sendProblem(reply, problemOf(inJar ? { ...issued, remedy: 'refresh' } : issued))
    }
    // The rotation stands, but whoever presents the same token again gets the same successor, so nothing is lost.
    if (request.originUnknown && issued.session.delivery !== 'bearer') {
      return sendProblem(reply, problemOf(refuseRequest('origin_unproven')))
    }
    return reply.send(deliver(kit, reply, issued))
  })
}
