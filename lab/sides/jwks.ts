// A service that verifies our tokens by the public keys alone: no store, so nobody tells it of a logout.
import { createVerifier, type VerifyOptions } from 'countersign'
import { type Answer, ok, refused, serve, told } from './serve.ts'
import { API, ISSUER } from './told.ts'

const verifier = createVerifier({ issuer: ISSUER, audience: API, keys: new URL(told.jwks!), leeway: '0s' })

async function show(token: string, demands: VerifyOptions): Promise<Answer> {
  const checked = verifier.verifyNow(token, demands) ?? (await verifier.verify(token, demands))
  if (checked.ok) return ok({ subject: checked.session.subject, roles: checked.session.roles })
  return refused(checked.reason, checked.reason === 'forbidden' ? 403 : 401)
}

await serve({
  'GET /': ({ bearer }) => show(bearer, {}),
  'GET /admin': ({ bearer }) => show(bearer, { roles: ['admin'] }),
  'GET /calls': () => ok({ calls: {} }),
})
