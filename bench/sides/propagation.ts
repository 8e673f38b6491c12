// A server with a near cache that says when a session was last let in. `/` is what all sides answer; `/watch` begins to look
// every millisecond, as requests would that come at that moment, and `/watched` says when one of them was refused.
import { createSessions } from 'countersign'
import { redisStore } from 'countersign/stores/redis'
import type { FastifyRequest } from 'fastify'
import { fastify, serve, told } from './serve.ts'
import { ALLOWLIST, keyring, NEAR_CACHE, SESSIONS_OPTIONS } from './sessions.ts'

const sessions = createSessions({
  ...SESSIONS_OPTIONS,
  strategy: ALLOWLIST,
  keyring: await keyring(told.keyring),
  store: redisStore({ url: told.redis, prefix: told.prefix! }),
  ...NEAR_CACHE,
})
const tokenOf = (request: FastifyRequest) => request.headers.authorization?.slice(7) ?? ''
const check = async (token: string) => sessions.verifyNow(token) ?? (await sessions.verify(token))

/** By token: nanoseconds of the monotonic clock of the machine. */
const refusals = new Map<string, Promise<bigint>>()
async function refusalOf(token: string): Promise<bigint> {
  while ((await check(token)).ok) await new Promise((resolve) => setTimeout(resolve, 1))
  return process.hrtime.bigint()
}

const app = fastify()
app.get('/', async (request, reply) => {
  const checked = await check(tokenOf(request))
  if (!checked.ok) return reply.code(401).send({ error: checked.reason })
  return { subject: checked.session.subject }
})
app.get('/watch', async (request) => {
  refusals.set(tokenOf(request), refusalOf(tokenOf(request)))
  return 'watching'
})
app.get('/watched', async (request) => {
  const refusedAt = await refusals.get(tokenOf(request))
  refusals.delete(tokenOf(request))
  return String(refusedAt)
})
await serve(app, [])
