// A signed token and nothing else, by the fastest JWT library: no session can be ended before its token is. As its
// README has it; tuned, with its cache of verified tokens.
import { createSigner, createVerifier } from 'fast-jwt'
import { AUDIENCE, ISSUER, LIFETIME_SECONDS, ROLES, SECRET, subjectOf } from '../sides/content.ts'
import { bearerHeader, fastify, serve, told } from '../sides/serve.ts'

const sign = createSigner({
  key: SECRET,
  algorithm: 'HS256',
  iss: ISSUER,
  aud: AUDIENCE,
  expiresIn: LIFETIME_SECONDS * 1_000,
})
const tokens = Array.from({ length: told.sessions }, (_, at) =>
  sign({ sub: subjectOf(at), jti: `${at}`, roles: ROLES }),
)
const verify = createVerifier({
  key: SECRET,
  algorithms: ['HS256'],
  allowedIss: ISSUER,
  allowedAud: AUDIENCE,
  cache: told.tuned ? 2 * told.sessions : false,
})

const app = fastify()
app.get('/', async (request, reply) => {
  try {
    const claims = verify(request.headers.authorization?.slice(7) ?? '')
    return { subject: claims.sub }
  } catch {
    return reply.code(401).send({ error: 'invalid_token' })
  }
})
await serve(app, tokens.map(bearerHeader))
