// Another issuer: keys of its own, and tokens that it signs by its own hand, so that a mistake of ours is not its.
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

export const ISSUER = 'https://issuer.test'
export const AUDIENCE = 'https://api.test'

export interface IssuerKey {
  readonly alg: 'ES256' | 'Ed25519' | 'EdDSA' | 'RS256'
  readonly jwk: Record<string, unknown>
  readonly privateKey: KeyObject
}

export function issuerKey(alg: IssuerKey['alg'], kid: string | undefined = 'k1'): IssuerKey {
  const { publicKey, privateKey } =
    alg === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : alg === 'RS256'
        ? generateKeyPairSync('rsa', { modulusLength: 2048 })
        : generateKeyPairSync('ed25519')
  const jwk = { ...publicKey.export({ format: 'jwk' }), alg, use: 'sig', ...(kid !== '' && { kid }) }
  return { alg, jwk, privateKey }
}

/** The claims that RFC 9068 demands and no others. */
export function claimsAt(nowMs: number): Record<string, unknown> {
  const iat = Math.floor(nowMs / 1_000)
  return { iss: ISSUER, aud: AUDIENCE, sub: 'alice', client_id: 'shop', iat, exp: iat + 300, jti: 'j1' }
}

export function signAs(key: IssuerKey, claims: object, header: object = {}): string {
  const { kid } = key.jwk
  const protectedHeader = { alg: key.alg, typ: 'at+jwt', ...(kid !== undefined && { kid }), ...header }
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const input = `${encode(protectedHeader)}.${encode(claims)}`
  const how = { key: key.privateKey, dsaEncoding: 'ieee-p1363' } as const
  const hash = key.alg === 'Ed25519' || key.alg === 'EdDSA' ? null : 'sha256'
  return `${input}.${sign(hash, Buffer.from(input), how).toString('base64url')}`
}
