// `jose` with the keys of the issuer, in its shortest form: `jwtVerify(token, JWKS)`.
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { type Answer, ok, refused, serve, told } from '../serve.ts'

const JWKS = createRemoteJWKSet(new URL(told.jwks!))

async function show(token: string, role?: string): Promise<Answer> {
  try {
    const { payload } = await jwtVerify(token, JWKS)
    const roles = (payload.roles ?? []) as string[]
    if (role !== undefined && !roles.includes(role)) return refused('forbidden', 403)
    return ok({ subject: payload.sub, roles })
  } catch {
    return refused('invalid token')
  }
}

await serve({
  'GET /': ({ bearer }) => show(bearer),
  'GET /admin': ({ bearer }) => show(bearer, 'admin'),
  'GET /calls': () => ok({ calls: {} }),
})
