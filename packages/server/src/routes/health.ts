import { CountersignError } from 'countersign'
import { problemOfFault } from 'countersign/http'
import { Type } from 'typebox'
import type { Kit } from '../http/kit.ts'
import { sendProblem } from '../http/problems.ts'
import { type App, ProblemSchema } from '../http/schemas.ts'

/** `GET /healthz`: the process answers. `GET /readyz`: and its store does too. Neither says more than that (ASVS 13.4.5). */
export function health(app: App, kit: Kit): void {
  const Status = Type.Object({ status: Type.Literal('ok') })
  app.get('/healthz', { schema: { summary: 'Whether the process lives', response: { 200: Status } } }, async () => ({
    status: 'ok' as const,
  }))

  const readySchema = {
    summary: 'Whether the store answers',
    response: { 200: Status, '5xx': ProblemSchema },
  }
  app.get('/readyz', { schema: readySchema }, async (_request, reply) => {
    // Asked, not remembered: what a client library believes of its connection can be minutes old.
    await kit.sessions.epoch('readyz')
    if (kit.sessions.health().up && !kit.settings.isStopping?.()) return reply.send({ status: 'ok' })
    return sendProblem(
      reply,
      problemOfFault(new CountersignError('ERR_STORE_UNAVAILABLE', 'the store is down, or the server stops')),
    )
  })
}
