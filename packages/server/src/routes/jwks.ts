import { Type } from 'typebox'
import { mayBeCached } from '../http/headers.ts'
import type { Kit } from '../http/kit.ts'
import type { App } from '../http/schemas.ts'

/** How long others may keep our public keys: `keys rotate` waits that long between publishing a key and using it. */
export const JWKS_CACHE_SECONDS = 300

/** `GET /.well-known/jwks.json`: the public halves of the signing keys (RFC 7517). */
export function jwks(app: App, kit: Kit): void {
  const schema = {
    summary: 'Public keys of access tokens',
    response: { 200: Type.Object({ keys: Type.Array(Type.Record(Type.String(), Type.String())) }) },
  }
  app.get('/.well-known/jwks.json', { schema }, async (_request, reply) => {
    mayBeCached(reply, JWKS_CACHE_SECONDS)
    const { keys } = kit.keyring.jwks()
    return reply.type('application/jwk-set+json').send({ keys: keys.map((key) => ({ ...key })) })
  })
}
