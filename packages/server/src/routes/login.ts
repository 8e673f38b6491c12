import type { Delivery, Device } from 'countersign'
import { allCookies, problem, problemOf, sessionsBehind } from 'countersign/http'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { deliver } from '../http/deliver.ts'
import { contextOf, factsOf } from '../http/facts.ts'
import type { Kit } from '../http/kit.ts'
import { accountProblem, sendProblem } from '../http/problems.ts'
import { type App, closed, Identifier, NoQuery, Password, ProblemSchema } from '../http/schemas.ts'
import { DeliveredSchema, DeliverySchema, DeviceSchema } from '../http/view-schemas.ts'

interface Wish {
  readonly identifier: string
  readonly password: string
  readonly delivery?: Delivery
  readonly persistent?: boolean
  readonly device?: Device
}

/** `POST /auth/login`: password to session. */
export function login(app: App, kit: Kit): void {
  const Body = Type.Object(
    {
      identifier: Identifier,
      password: Password,
      delivery: Type.Optional(DeliverySchema),
      persistent: Type.Optional(Type.Boolean({ description: 'stay logged in after the browser is closed' })),
      device: Type.Optional(DeviceSchema),
    },
    closed,
  )
  const schema = {
    summary: 'Open a session',
    body: Body,
    querystring: NoQuery,
    response: { 200: DeliveredSchema, '4xx': ProblemSchema, '5xx': ProblemSchema },
  }
  app.post('/auth/login', { schema, config: { bearerBy: 'delivery' } }, async (request, reply) => {
    const wish: Wish = request.body
    if (wish.delivery === 'browser' && kit.settings.strategy === 'opaque') {
      const detail = 'body.delivery "browser" needs a refresh token, which the strategy opaque does not have'
      return sendProblem(reply, problem(400, 'invalid_request', { detail }))
    }
    let done = await attempt(kit, request, wish)
    // A ban, a role change or a failover happened while the password was hashed: look again, once.
    if (!done.ok && done.reason === 'stale_epoch') done = await attempt(kit, request, wish)
    if (!done.ok) {
      return sendProblem(reply, done.by === 'account' ? accountProblem(done) : problemOf(done))
    }
    return reply.send(deliver(kit, reply, done, request))
  })
}

/** Proof, then the end of the session that this browser had, then the new one. Four round trips without a former session. */
async function attempt(kit: Kit, request: FastifyRequest, wish: Wish) {
  const context = contextOf(request)
  const proof = await kit.accounts.authenticate({ identifier: wish.identifier, password: wish.password, context })
  if (!proof.ok) return { ...proof, by: 'account' as const }
  await endFormer(kit, request)
  const { subject, roles, epoch, acr, amr, authTimeMs } = proof
  const { delivery = 'cookie', persistent = false, device } = wish
  const issued = await kit.sessions.issue({
    subject,
    roles,
    ifEpoch: epoch,
    acr,
    amr,
    authTimeMs,
    delivery,
    persistent,
    ...(device && { device }),
    context,
  })
  return issued.ok ? issued : { ...issued, by: 'session' as const }
}

/** A login gives a new session, and the one it replaces dies, whoever's it was (ASVS 7.2.4). */
async function endFormer(kit: Kit, request: FastifyRequest): Promise<void> {
  for (const id of await sessionsBehind(kit.sessions, allCookies(factsOf(request), kit.cookieNames))) {
    await kit.sessions.revoke(id, { reason: 'logout', context: contextOf(request) })
  }
}
