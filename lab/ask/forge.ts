// What an attacker makes of a token, by hand: a library would refuse to.
import { createHmac, createPrivateKey, createPublicKey, type JsonWebKey, sign } from 'node:crypto'
import type { KeyringFile } from 'countersign'
import type { Asked } from './asked.ts'

export type Json = Readonly<Record<string, unknown>>

const encode = (value: Json): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const decode = (part: string): Json => JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))

export const isJwt = (token: string): boolean => token.split('.').length === 3

export function apart(token: string): { readonly header: Json; readonly claims: Json } {
  const [header, claims] = token.split('.')
  return { header: decode(header!), claims: decode(claims!) }
}

/** The pair that signs: ES256. */
function pairOf(keyring: KeyringFile): JsonWebKey & { kid: string } {
  return keyring.signing.find(({ alg }) => alg === 'ES256') as unknown as JsonWebKey & { kid: string }
}

/** With the very key that the row signs with: what only the issuer, or another service of the house, could have made. */
export function signed({ row, keyring, secret }: Asked, header: Json, claims: Json): string {
  const input = `${encode(header)}.${encode(claims)}`
  if (row.secret) return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
  const key = createPrivateKey({ key: pairOf(keyring), format: 'jwk' })
  return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

export function unsigned(header: Json, claims: Json): string {
  return `${encode(header)}.${encode(claims)}.`
}

/** HS256, with each form in which a server may hold its public key as the secret. */
export function confused({ keyring }: Asked, header: Json, claims: Json): string[] {
  const { kty, crv, x, y, kid } = pairOf(keyring)
  const jwk = { kty, crv, x, y } as JsonWebKey
  const key = createPublicKey({ key: jwk, format: 'jwk' })
  const pem = key.export({ type: 'spki', format: 'pem' }) as string
  const point = Buffer.concat([Buffer.from([4]), Buffer.from(x!, 'base64url'), Buffer.from(y!, 'base64url')])
  const secrets = [pem, pem.trimEnd(), key.export({ type: 'spki', format: 'der' }), JSON.stringify(jwk), point]
  return secrets.map((secret) => {
    const input = `${encode({ ...header, alg: 'HS256', kid })}.${encode(claims)}`
    return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
  })
}
