// The libraries that are compared, each set up for the same checks: algorithm, key, `iss`, `aud`, `exp` and `typ`.
// None has a cache: fast-jwt's is off, the others have none.
import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto'
import { createVerifier, type Keyring, type KeyringFile, type SigningAlg } from 'countersign'
import { createVerifier as fastJwt } from 'fast-jwt'
import { jwtVerify } from 'jose'
import jsonwebtoken from 'jsonwebtoken'

export const ISSUER = 'https://auth.example.com'
export const AUDIENCE = 'https://api.example.com'
export const TYP = 'at+jwt'

/** Verifies a token, or throws. `jose` has no synchronous form. */
export interface Contender {
  readonly name: string
  verify(token: string): unknown
}

/** Those that know the algorithm. */
export function contenders(alg: SigningAlg, file: KeyringFile, keyring: Keyring): readonly Contender[] {
  const jwk = file.signing.find((key) => key.alg === alg)!
  const secret = alg === 'HS256' ? Buffer.from(jwk.k!, 'base64url') : undefined
  const { d, ...half } = jwk as { d?: string } & Record<string, unknown>
  const key = secret ? createSecretKey(secret) : createPublicKey({ format: 'jwk', key: half as never })
  return [
    countersign(keyring),
    fast(alg, secret ?? key.export({ format: 'pem', type: 'spki' })),
    ...(alg === 'Ed25519' ? [] : [plain(alg, key)]),
    jose(alg, key),
  ]
}

function countersign(keyring: Keyring): Contender {
  const verifier = createVerifier({ issuer: ISSUER, audience: AUDIENCE, keys: keyring })
  return {
    name: 'countersign',
    verify(token) {
      const checked = verifier.verifyNow(token)
      if (!checked?.ok) throw new Error(`refused: ${checked?.reason}`)
      return checked.session
    },
  }
}

function fast(alg: SigningAlg, key: string | Buffer): Contender {
  const verify = fastJwt({
    key,
    // fast-jwt knows Ed25519 by the older name only.
    algorithms: [alg === 'Ed25519' ? 'EdDSA' : alg],
    allowedIss: ISSUER,
    allowedAud: AUDIENCE,
    checkTyp: TYP,
    cache: false,
  })
  return { name: 'fast-jwt', verify: (token) => verify(token) }
}

function plain(alg: 'HS256' | 'ES256', key: KeyObject): Contender {
  return {
    name: 'jsonwebtoken',
    verify(token) {
      const { header, payload } = jsonwebtoken.verify(token, key, {
        algorithms: [alg],
        issuer: ISSUER,
        audience: AUDIENCE,
        complete: true,
      })
      if (header.typ !== TYP) throw new Error('another type')
      return payload
    },
  }
}

function jose(alg: SigningAlg, key: KeyObject): Contender {
  const options = { algorithms: [alg], issuer: ISSUER, audience: AUDIENCE, typ: TYP }
  return { name: 'jose (asynchronous)', verify: (token) => jwtVerify(token, key, options) }
}
