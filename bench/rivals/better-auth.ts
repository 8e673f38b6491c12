// better-auth with Redis as its secondary storage, by the package and client (ioredis 5) that its documentation
// recommends. Tuned:
// node-redis with our settings, as its documentation has it for a storage of one's own.
import { redisStorage } from '@better-auth/redis-storage'
import { betterAuth } from 'better-auth'
import { memoryAdapter } from 'better-auth/adapters/memory'
import { fromNodeHeaders } from 'better-auth/node'
import { Redis } from 'ioredis-5'
import { DATA, DEVICES, LIFETIME_SECONDS, SECRET, subjectOf } from '../sides/content.ts'
import { cookieHeader, fastify, ourRedisClient, serve, told } from '../sides/serve.ts'

const url = new URL(told.redis)

async function storage() {
  if (!told.tuned) {
    return redisStorage({
      client: new Redis({ host: url.hostname, port: Number(url.port) }),
      keyPrefix: 'better-auth:',
    })
  }
  const client = await ourRedisClient(told.redis)
  return {
    get: (key: string) => client.get(key),
    getAndDelete: (key: string) => client.getDel(key),
    increment: async (key: string, ttl: number) => {
      const value = await client.incr(key)
      if (value === 1) await client.expire(key, ttl)
      return value
    },
    set: async (key: string, value: string, ttl?: number) => {
      await (ttl ? client.set(key, value, { EX: ttl }) : client.set(key, value))
    },
    delete: async (key: string) => {
      await client.del(key)
    },
  }
}

const auth = betterAuth({
  baseURL: 'http://127.0.0.1',
  secret: SECRET,
  database: memoryAdapter({ user: [], session: [], account: [], verification: [] }),
  secondaryStorage: await storage(),
  session: {
    expiresIn: LIFETIME_SECONDS,
    // Where an application keeps its own data: a field of the session.
    additionalFields: { data: { type: 'string', required: false, defaultValue: JSON.stringify(DATA) } },
  },
  // Hashing two thousand passwords would only take time before the comparison begins.
  emailAndPassword: {
    enabled: true,
    password: { hash: async (password) => password, verify: async ({ hash, password }) => hash === password },
  },
  telemetry: { enabled: false },
  logger: { disabled: true },
})

const headers: string[] = []
for (let at = 0; at < told.sessions; at++) {
  const account = { email: `${subjectOf(at).replace(':', '.')}@example.com`, password: 'violet kettles orbit' }
  const { headers: set } =
    at % DEVICES === 0
      ? await auth.api.signUpEmail({ body: { ...account, name: subjectOf(at) }, returnHeaders: true })
      : await auth.api.signInEmail({ body: account, returnHeaders: true })
  headers.push(cookieHeader(set.getSetCookie()))
}

const app = fastify()
app.get('/', async (request, reply) => {
  const found = await auth.api.getSession({ headers: fromNodeHeaders(request.headers) })
  if (found === null) return reply.code(401).send({ error: 'no session' })
  return { subject: found.user.name }
})
await serve(app, headers)
