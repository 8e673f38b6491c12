import { createHmac, sign as cryptoSign, verify as cryptoVerify, type KeyObject } from 'node:crypto'
import { equalBytes, fromBase64url, toBase64url } from '../internal/bytes.ts'
import type { SigningAlg, SigningKey } from './key-material.ts'
import { type JsonObject, parseStrictObject } from './strict-json.ts'

/** Longest compact token that is looked at, in characters. */
export const MAX_TOKEN_CHARACTERS = 8_192

/** The key that a header names, if its algorithm is that key's. Never derived from anything else in the token. */
export type KeyLookup = (
  kid: string,
  alg: string,
) => { readonly alg: SigningAlg; readonly verifyWith: KeyObject } | undefined

export type JwsResult =
  | { readonly ok: true; readonly header: JsonObject; readonly claims: JsonObject }
  | { readonly ok: false; readonly reason: 'malformed' | 'bad_signature' }

/** Members that a protected header may have here. No `crit`, `b64`, `zip`, `jku`, `jwk`, `x5u`, `x5c`: refused, not ignored. */
const HEADER_MEMBERS = new Set(['alg', 'kid', 'typ'])

/**
 * Verifies a compact JWS (RFC 7515) with JSON claims, strictly: alphabet and canonical encoding first, then the header,
 * then the signature, and only then the claims (ASVS 9.1.1). Synchronous.
 *
 * @param typ - Media type that the header must state, without `application/` (RFC 8725 section 3.11).
 */
export function verifyJws(token: string, typ: string, keyFor: KeyLookup): JwsResult {
  if (typeof token !== 'string' || token.length > MAX_TOKEN_CHARACTERS) return MALFORMED
  const first = token.indexOf('.')
  const second = token.indexOf('.', first + 1)
  if (first < 1 || second < first + 2 || token.indexOf('.', second + 1) !== -1) return MALFORMED
  const headerBytes = fromBase64url(token.slice(0, first))
  const claimBytes = fromBase64url(token.slice(first + 1, second))
  const signature = fromBase64url(token.slice(second + 1))
  if (!headerBytes || !claimBytes || !signature) return MALFORMED

  const header = parseStrictObject(headerBytes)
  if (!header || !isAcceptable(header, typ)) return MALFORMED
  const key = keyFor(header.kid as string, header.alg as string)
  if (!key) return BAD_SIGNATURE
  if (!signatureIsRight(key.alg, key.verifyWith, token.slice(0, second), signature)) return BAD_SIGNATURE

  const claims = parseStrictObject(claimBytes)
  return claims ? { ok: true, header, claims } : MALFORMED
}

/** Signs claims as a compact JWS. */
export function signJws(claims: JsonObject, typ: string, key: SigningKey): string {
  const header = toBase64url(Buffer.from(JSON.stringify({ alg: key.alg, kid: key.kid, typ })))
  const input = `${header}.${toBase64url(Buffer.from(JSON.stringify(claims)))}`
  return `${input}.${toBase64url(signatureOf(key, input))}`
}

function isAcceptable(header: JsonObject, typ: string): boolean {
  for (const name of Object.keys(header)) if (!HEADER_MEMBERS.has(name)) return false
  if (typeof header.alg !== 'string' || typeof header.kid !== 'string' || typeof header.typ !== 'string') return false
  const stated = header.typ.toLowerCase()
  return stated === typ || stated === `application/${typ}`
}

/** Bytes of a signature; ECDSA and HMAC implementations accept other lengths, so the length is checked here. */
const SIGNATURE_BYTES: Readonly<Record<SigningAlg, number>> = { HS256: 32, ES256: 64, Ed25519: 64 }

function signatureIsRight(alg: SigningAlg, key: KeyObject, input: string, signature: Buffer): boolean {
  if (signature.length !== SIGNATURE_BYTES[alg]) return false
  switch (alg) {
    case 'HS256':
      return equalBytes(createHmac('sha256', key).update(input).digest(), signature)
    case 'ES256':
      return cryptoVerify('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }, signature)
    case 'Ed25519':
      return cryptoVerify(null, Buffer.from(input), key, signature)
  }
}

function signatureOf(key: SigningKey, input: string): Buffer {
  switch (key.alg) {
    case 'HS256':
      return createHmac('sha256', key.signWith).update(input).digest()
    case 'ES256':
      return cryptoSign('sha256', Buffer.from(input), { key: key.signWith, dsaEncoding: 'ieee-p1363' })
    case 'Ed25519':
      return cryptoSign(null, Buffer.from(input), key.signWith)
  }
}

const MALFORMED = { ok: false, reason: 'malformed' } as const
const BAD_SIGNATURE = { ok: false, reason: 'bad_signature' } as const
