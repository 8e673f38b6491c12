import { parseSessionId, type Subject, subjectRef } from 'countersign'
import { problem, problemOf } from 'countersign/http'
import { Type } from 'typebox'
import { cursorOf, isAfter, readCursor } from '../http/cursor.ts'
import { clearBrowser } from '../http/deliver.ts'
import { contextOf } from '../http/facts.ts'
import { callerOf, RECENT, RECENT_CHALLENGE } from '../http/guard.ts'
import type { Kit } from '../http/kit.ts'
import { ownProblem, sendProblem } from '../http/problems.ts'
import { type App, closed, EndedSchema, NoQuery, Nothing, ProblemSchema } from '../http/schemas.ts'
import { SessionSchema } from '../http/view-schemas.ts'
import { endedView, sessionView } from '../http/views.ts'

const problems = { '4xx': ProblemSchema, '5xx': ProblemSchema }
const DEFAULT_PAGE = 100

/** Who am I, which devices are logged in, end one of them, end all of them. */
export function sessions(app: App, kit: Kit): void {
  const oneSchema = {
    summary: 'The session of the caller',
    querystring: NoQuery,
    response: { 200: Type.Object({ session: SessionSchema }, closed), ...problems },
  }
  app.get('/auth/session', { schema: oneSchema }, async (request, reply) => {
    const caller = await callerOf(kit, request)
    if (!caller.ok) return sendProblem(reply, problemOf(caller))
    return reply.send({ session: sessionView(caller.session, caller.session.sessionId) })
  })

  const listSchema = {
    summary: 'Live sessions of the caller, oldest first',
    querystring: Type.Object(
      {
        limit: Type.Optional(
          Type.String({ pattern: '^([1-9][0-9]{0,2}|1000)$', description: '1 to 1000, default 100' }),
        ),
        after: Type.Optional(Type.String({ minLength: 1, maxLength: 128, description: '`next` of the page before' })),
      },
      closed,
    ),
    response: {
      200: Type.Object({ items: Type.Array(SessionSchema), next: Type.Union([Type.String(), Type.Null()]) }, closed),
      ...problems,
    },
  }
  app.get('/auth/sessions', { schema: listSchema }, async (request, reply) => {
    const caller = await callerOf(kit, request)
    if (!caller.ok) return sendProblem(reply, problemOf(caller))
    const { limit = String(DEFAULT_PAGE), after: text } = request.query
    const after = text === undefined ? undefined : readCursor(text)
    if (after === null)
      return sendProblem(reply, problem(400, 'invalid_request', { detail: 'query.after is not a cursor' }))
    const items = []
    let next: string | null = null
    for await (const session of kit.sessions.list(ownerOf(caller.session))) {
      if (after && !isAfter(session, after)) continue
      if (items.length === Number(limit)) {
        next = cursorOf(items.at(-1)!)
        break
      }
      items.push(session)
    }
    return reply.send({ items: items.map((session) => sessionView(session, caller.session.sessionId)), next })
  })

  const endSchema = {
    summary: 'End one session of the caller',
    params: Type.Object({ id: Type.String() }, closed),
    querystring: NoQuery,
    response: { 202: EndedSchema, 204: Nothing, ...problems },
  }
  app.delete('/auth/sessions/:id', { schema: endSchema }, async (request, reply) => {
    const caller = await callerOf(kit, request, { maxAge: RECENT })
    if (!caller.ok) return sendProblem(reply, problemOf(caller, RECENT_CHALLENGE))
    const id = parseSessionId(request.params.id)
    // The id says whose it is. Not `get` first: an id that a step-up replaced is followed to the session that took over.
    const { tag } = subjectRef(kit.keyring, ownerOf(caller.session))
    const isOwn = id?.startsWith(tag) ?? false
    const done = isOwn ? await kit.sessions.revoke(id!, { reason: 'logout', context: contextOf(request) }) : undefined
    if (done?.durability === 'queued') return reply.code(202).send(endedView(done))
    // Somebody else's and one that is not there look the same.
    if (!done || done.ended === 0) return sendProblem(reply, ownProblem('not_found'))
    if (id === caller.session.sessionId) clearBrowser(kit, request, reply)
    return reply.code(204).send(null)
  })

  const endAllSchema = {
    summary: 'End all sessions of the caller',
    body: Type.Object({ keepCurrent: Type.Optional(Type.Boolean({ description: 'default false' })) }, closed),
    querystring: NoQuery,
    response: { 200: EndedSchema, 202: EndedSchema, ...problems },
  }
  app.post('/auth/sessions/revoke-all', { schema: endAllSchema }, async (request, reply) => {
    const caller = await callerOf(kit, request, { maxAge: RECENT })
    if (!caller.ok) return sendProblem(reply, problemOf(caller, RECENT_CHALLENGE))
    const { sessionId } = caller.session
    const except = request.body.keepCurrent ? { except: sessionId } : {}
    const done = await kit.sessions.revokeAll(ownerOf(caller.session), {
      reason: 'logout',
      ...except,
      context: contextOf(request),
    })
    if (!request.body.keepCurrent) clearBrowser(kit, request, reply)
    return reply.code(done.durability === 'queued' ? 202 : 200).send(endedView(done))
  })
}

/** Whose session it is: with the tenant, where there is one. */
function ownerOf({ subject, tenant }: { readonly subject: string; readonly tenant?: string }): Subject {
  return tenant === undefined ? subject : { subject, tenant }
}
