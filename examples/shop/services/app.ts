import type { Principal, Verifier } from 'countersign'
import { type Auth, countersign, type WebOptions } from 'countersign/fastify'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import { OutcomeUnknown } from '../data/cluster.ts'
import { problem } from './problem.ts'

/** A Fastify application with Countersign, whose faults are problems as well: an outage is 503, and ends no session. */
export async function createApp<V extends Verifier<any>>(options: WebOptions<V>) {
  const app: FastifyInstance = Fastify({ forceCloseConnections: true, bodyLimit: 16_384 })
  const auth = countersign(options)
  await app.register(auth)
  app.setErrorHandler((error, request, reply) => {
    if (error instanceof OutcomeUnknown) return void problem(reply.header('retry-after', '1'), 503, error.code)
    auth.errors(error as never, request, reply)
  })
  return { app, auth }
}

/** Of a request that a guard has let in. */
export function whoIs(
  request: FastifyRequest,
): Principal & { readonly sessionId: NonNullable<Principal['sessionId']> } {
  return (request.auth as unknown as Auth).session as never
}
