// The JWS layer below `createVerifier`, asked about one token and one key or key set.

import { openJws, type VerifyingKey } from '../../packages/countersign/src/tokens/jws.ts'
import { foreignKeys, readKeySet, readMacKey, readPublicKey } from '../../packages/countersign/src/tokens/public-key.ts'
import { type Verdict, verdictOf } from './cases.ts'

export type Jwk = Readonly<Record<string, unknown>>

/** One key, or a set of keys, as a verifier would be configured with it. Throws `ERR_KEY_UNUSABLE`. */
export function importKeys(jwk: Jwk, alg?: string): readonly VerifyingKey[] {
  if (Array.isArray(jwk.keys)) {
    const secret = jwk.keys.some((key: Jwk) => key.kty === 'oct')
    return readKeySet(jwk, 'keys', secret ? ['HS256'] : ['ES256', 'Ed25519', 'RS256'])
  }
  return [jwk.kty === 'oct' ? readMacKey(jwk, 'key', alg) : readPublicKey(publicPart(jwk), 'key', alg)]
}

/** Files give private keys where they sign as well; what is imported is the public half. */
function publicPart(jwk: Jwk): Jwk {
  const secret = new Set(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'])
  return Object.fromEntries(Object.entries(jwk).filter(([name]) => !secret.has(name)))
}

/** Whether the layer accepts `token` under these keys, and as nothing but `payload` where that is given. */
export function verdictOnJws(token: string, jwk: Jwk, alg?: string, payload?: string): Verdict {
  return verdictOf(() => {
    const opened = openJws(token, { typ: null, kid: 'optional' }, foreignKeys(importKeys(jwk, alg)))
    return opened.ok && (payload === undefined || opened.payload.toString('base64url') === payload)
  })
}
