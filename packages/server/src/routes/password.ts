import type { Context } from 'countersign'
import type { PasswordChanged } from 'countersign/accounts'
import { problemOf } from 'countersign/http'
import { Type } from 'typebox'
import { deliver } from '../http/deliver.ts'
import { contextOf } from '../http/facts.ts'
import { callerOf, RECENT, RECENT_CHALLENGE } from '../http/guard.ts'
import type { Kit, ServerSession } from '../http/kit.ts'
import { accountProblem, sendProblem } from '../http/problems.ts'
import { type App, closed, NoQuery, Password, ProblemSchema } from '../http/schemas.ts'
import { DeliveredSchema } from '../http/view-schemas.ts'

/** What a password proves. */
const PROOF = { acr: 'aal1', amr: ['pwd'] } as const

/** `POST /auth/reauth` and `POST /auth/password`: the password once more, and another one. Both give a new session id. */
export function password(app: App, kit: Kit): void {
  const answers = { response: { 200: DeliveredSchema, '4xx': ProblemSchema, '5xx': ProblemSchema } }

  const reauthSchema = {
    summary: 'Prove the password again: a new session id and a fresh authentication time',
    body: Type.Object({ password: Password }, closed),
    querystring: NoQuery,
    ...answers,
  }
  app.post('/auth/reauth', { schema: reauthSchema }, async (request, reply) => {
    const caller = await callerOf(kit, request)
    if (!caller.ok) return sendProblem(reply, problemOf(caller))
    const { sessionId, subject } = caller.session
    const context = contextOf(request)
    const proof = await kit.accounts.confirm({ subject, password: request.body.password, context })
    if (!proof.ok) return sendProblem(reply, accountProblem(proof))
    const issued = await kit.sessions.stepUp(sessionId, proof, { context })
    return issued.ok ? reply.send(deliver(kit, reply, issued)) : sendProblem(reply, problemOf(issued))
  })

  const passwordSchema = {
    summary: 'Change the password: ends every other session and gives this one a new id',
    body: Type.Object({ currentPassword: Password, newPassword: Password }, closed),
    querystring: NoQuery,
    ...answers,
  }
  app.post('/auth/password', { schema: passwordSchema }, async (request, reply) => {
    const caller = await callerOf(kit, request, { maxAge: RECENT })
    if (!caller.ok) return sendProblem(reply, problemOf(caller, RECENT_CHALLENGE))
    const { sessionId, subject } = caller.session
    const { currentPassword, newPassword } = request.body
    const context = contextOf(request)
    const done = await kit.accounts.changePassword({
      subject,
      current: currentPassword,
      next: newPassword,
      renew: () => kit.sessions.stepUp(sessionId, PROOF, { context }),
      context,
    })
    if (!done.ok) return sendProblem(reply, accountProblem(done))
    // Somebody else replaced or ended this session while the password was checked. Everything has been ended, and the
    // one who knows both passwords gets a session of their own.
    const issued = done.renewed?.ok ? done.renewed : await again(kit, caller.session, done, context)
    return issued.ok ? reply.send(deliver(kit, reply, issued)) : sendProblem(reply, problemOf(issued))
  })
}

function again(kit: Kit, former: ServerSession, done: PasswordChanged, context: Context) {
  const { delivery, persistent, device } = former
  return kit.sessions.issue({
    subject: former.subject,
    roles: done.account.roles,
    ...PROOF,
    ...(done.ended.epoch !== undefined && { ifEpoch: done.ended.epoch }),
    delivery,
    persistent,
    ...(device.id !== '' && { device }),
    context,
  })
}
