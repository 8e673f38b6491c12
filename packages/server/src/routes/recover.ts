import { problemOf } from 'countersign/http'
import { Type } from 'typebox'
import { contextOf } from '../http/facts.ts'
import { callerOf } from '../http/guard.ts'
import type { Kit } from '../http/kit.ts'
import { accountProblem, sendProblem } from '../http/problems.ts'
import {
  type App,
  closed,
  EndedSchema,
  Identifier,
  NoBody,
  NoQuery,
  Nothing,
  Password,
  ProblemSchema,
} from '../http/schemas.ts'
import { endedView } from '../http/views.ts'

/** A link for a new password, the new password, and the same for showing that an address is the account's. */
export function recover(app: App, kit: Kit): void {
  const problems = { '4xx': ProblemSchema, '5xx': ProblemSchema }
  const Accepted = Type.Object({ accepted: Type.Literal(true) }, closed)
  const Token = Type.String({ minLength: 1, maxLength: 512, description: 'from the fragment of the link' })

  const forgotSchema = {
    summary: 'Ask for a link that sets a new password',
    description: 'The same answer, at the same time, whether or not anybody has this identifier.',
    body: Type.Object({ identifier: Identifier }, closed),
    querystring: NoQuery,
    response: { 202: Accepted, ...problems },
  }
  // Rate limits belong here, before anything is done (FP-4): per source, and per identifier in its normal form.
  app.post('/auth/password/forgot', { schema: forgotSchema }, async (request, reply) => {
    const { identifier } = request.body
    const context = contextOf(request)
    // After the answer: neither its content nor its time says whether there is such an account (ASVS 6.3.8, FP-1).
    kit.later.add(() => kit.accounts.requestPasswordReset({ identifier, context }))
    return reply.code(202).send({ accepted: true as const })
  })

  const resetSchema = {
    summary: 'Set a new password by a link: ends every session and opens none',
    body: Type.Object({ token: Token, newPassword: Password }, closed),
    querystring: NoQuery,
    response: { 202: EndedSchema, 204: Nothing, ...problems },
  }
  app.post('/auth/password/reset', { schema: resetSchema }, async (request, reply) => {
    const { token, newPassword } = request.body
    const done = await kit.accounts.resetPassword({ token, next: newPassword, context: contextOf(request) })
    if (!done.ok) return sendProblem(reply, accountProblem(done))
    return done.ended.durability === 'queued' ? reply.code(202).send(endedView(done.ended)) : reply.code(204).send(null)
  })

  const verifySchema = {
    summary: 'Show by a link that mail to the identifier of an account reaches its owner',
    body: Type.Object({ token: Token }, closed),
    querystring: NoQuery,
    response: { 204: Nothing, ...problems },
  }
  app.post('/auth/email/verify', { schema: verifySchema }, async (request, reply) => {
    const done = await kit.accounts.verifyEmail({ token: request.body.token, context: contextOf(request) })
    return done.ok ? reply.code(204).send(null) : sendProblem(reply, accountProblem(done))
  })

  const requestSchema = {
    summary: 'Ask for a link that verifies the address of the caller',
    body: NoBody,
    querystring: NoQuery,
    response: { 202: Accepted, ...problems },
  }
  app.post('/auth/email/verify/request', { schema: requestSchema }, async (request, reply) => {
    const caller = await callerOf(kit, request)
    if (!caller.ok) return sendProblem(reply, problemOf(caller))
    const { subject } = caller.session
    const done = await kit.accounts.requestEmailVerification({ subject, context: contextOf(request) })
    return done.ok ? reply.code(202).send({ accepted: true as const }) : sendProblem(reply, accountProblem(done))
  })
}
