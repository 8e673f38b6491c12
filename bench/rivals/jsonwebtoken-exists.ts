// A JWT whose id must exist in Redis, as it is written in most tutorials: `jsonwebtoken` with a text as its secret, and
// node-redis as it comes. Tuned: a key object, the algorithm named, and node-redis with our settings.
import { createSecretKey, randomUUID } from 'node:crypto'
import jwt from 'jsonwebtoken'
import { AUDIENCE, ISSUER, LIFETIME_SECONDS, ROLES, SECRET, subjectOf } from '../sides/content.ts'
import { bearerHeader, fastify, redisClient, serve, told } from '../sides/serve.ts'

const client = await redisClient()
const tokens = await Promise.all(
  Array.from({ length: told.sessions }, async (_, at) => {
    const jti = randomUUID()
    await client.set(`session:${jti}`, subjectOf(at), { EX: LIFETIME_SECONDS })
    const claims = { sub: subjectOf(at), jti, roles: ROLES }
    return jwt.sign(claims, SECRET, { issuer: ISSUER, audience: AUDIENCE, expiresIn: LIFETIME_SECONDS })
  }),
)
const key = told.tuned ? createSecretKey(Buffer.from(SECRET)) : SECRET
const rules = { issuer: ISSUER, audience: AUDIENCE, ...(told.tuned && { algorithms: ['HS256' as const] }) }

const app = fastify()
app.get('/', async (request, reply) => {
  try {
    const claims = jwt.verify(request.headers.authorization?.slice(7) ?? '', key, rules) as jwt.JwtPayload
    const exists = await client.exists(`session:${claims.jti}`)
    if (!exists) return reply.code(401).send({ error: 'logged out' })
    return { subject: claims.sub }
  } catch {
    return reply.code(401).send({ error: 'invalid token' })
  }
})
await serve(app, tokens.map(bearerHeader))
