import {
  createHash,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto'
import { fromBase64url, toBase64url } from '../internal/bytes.ts'
import { CountersignError } from '../internal/errors.ts'
import { type SignatureCheck, type SigningAlg, signatureCheck } from './signatures.ts'

export type { SigningAlg } from './signatures.ts'

/**
 * The life of a key: `pending` is published and accepted, so that every process knows it before one uses it; `active` is
 * used and accepted; `retiring` is accepted only; `retired` is kept for the record and accepted nowhere.
 */
export type KeyState = 'pending' | 'active' | 'retiring' | 'retired'

/** One key of the keyring file: a JWK (RFC 7517) with its state and the day it was made. */
export interface KeyJwk extends JsonWebKey {
  kid: string
  state: KeyState
  /** ISO 8601, UTC. */
  created: string
  /** When it got its state, ISO 8601, UTC; written by `rotateKeyring` and `retireKey`. */
  since?: string
  /** MAC and rotation keys: 1 to 255, never used again. It stands in the tokens. */
  number?: number
  alg?: string
}

/** A symmetric key that tokens or records name by number. */
export interface NumberedKey {
  readonly number: number
  readonly kid: string
  readonly state: KeyState
  readonly key: KeyObject
}

/** Encrypts sealed tokens with AES-256-GCM. */
export interface SealingKey {
  readonly kid: string
  readonly state: KeyState
  readonly key: KeyObject
  /** How often this process has sealed with it; see {@link MAX_SEALS}. */
  seals: number
}

export interface SigningKey {
  readonly kid: string
  readonly alg: SigningAlg
  readonly state: KeyState
  /** Private or secret: never leaves the process. */
  readonly signWith: KeyObject
  readonly verifyWith: KeyObject
  readonly verifies: SignatureCheck
  /** What the JWK Set shows; absent for `HS256`. */
  readonly publicJwk?: Readonly<Record<string, string>>
}

/** Bytes of every symmetric key: HMAC-SHA-256 gains nothing from more (RFC 7518 section 3.2). */
export const SECRET_BYTES = 32

/** Reads an `oct` key of exactly 32 bytes. */
export function readSecret(jwk: KeyJwk, where: string): KeyObject {
  const bytes = jwk.kty === 'oct' && typeof jwk.k === 'string' ? fromBase64url(jwk.k) : undefined
  if (!bytes) throw unusable(where, 'must be a JWK of type "oct" with canonical base64url in "k"')
  if (bytes.length !== SECRET_BYTES) throw unusable(where, `must have exactly ${SECRET_BYTES} bytes`)
  if (new Set(bytes).size < 12) throw unusable(where, 'repeats a few bytes and was not made by a random source')
  return createSecretKey(bytes)
}

/** Reads a signing key: `oct` for HS256, P-256 for ES256, Ed25519 for Ed25519, with its private part. */
export function readSigningKey(jwk: KeyJwk, where: string): SigningKey {
  const { kid, state } = jwk
  if (jwk.alg === 'HS256') {
    const key = readSecret(jwk, where)
    return { kid, alg: 'HS256', state, signWith: key, verifyWith: key, verifies: signatureCheck('HS256', key) }
  }
  const members = PUBLIC_MEMBERS[jwk.alg as keyof typeof PUBLIC_MEMBERS]
  if (!members) throw unusable(where, 'needs "alg": "HS256", "ES256" or "Ed25519"')
  if (jwk.kty !== members.kty || jwk.crv !== members.crv || typeof jwk.d !== 'string') {
    throw unusable(where, `must be a private JWK of type "${members.kty}" on the curve "${members.crv}"`)
  }
  try {
    const { kty, crv, x, y, d } = jwk
    const parts = { kty, crv, x: x!, d, ...(y !== undefined && { y }) }
    const signWith = createPrivateKey({ format: 'jwk', key: parts })
    // Derived from the private part, so a public part that does not belong to it cannot be published.
    const verifyWith = createPublicKey(signWith)
    const publicPart = verifyWith.export({ format: 'jwk' })
    if (publicPart.x !== x || publicPart.y !== y) throw new Error('public and private part differ')
    const alg = jwk.alg as keyof typeof PUBLIC_MEMBERS
    const publicJwk = { ...(publicPart as Record<string, string>), kid, alg, use: 'sig' }
    return { kid, alg, state, signWith, verifyWith, verifies: signatureCheck(alg, verifyWith), publicJwk }
  } catch {
    // The cause is not passed on: the platform's message may quote key material.
    throw unusable(where, 'is not a valid key: a coordinate is off the curve, or the parts do not belong together')
  }
}

const PUBLIC_MEMBERS = {
  ES256: { kty: 'EC', crv: 'P-256' },
  Ed25519: { kty: 'OKP', crv: 'Ed25519' },
} as const

/** RFC 7638 thumbprint of a public or symmetric JWK: the default `kid`. */
export function thumbprint(jwk: JsonWebKey): string {
  const names = THUMBPRINT_MEMBERS[jwk.kty as keyof typeof THUMBPRINT_MEMBERS]
  const canonical = JSON.stringify(Object.fromEntries(names.map((name) => [name, jwk[name]])))
  return toBase64url(createHash('sha256').update(canonical).digest())
}

const THUMBPRINT_MEMBERS = {
  oct: ['k', 'kty'],
  OKP: ['crv', 'kty', 'x'],
  EC: ['crv', 'kty', 'x', 'y'],
  RSA: ['e', 'kty', 'n'],
} as const

export function unusable(where: string, problem: string): CountersignError {
  return new CountersignError('ERR_KEY_UNUSABLE', `"${where}" ${problem}`)
}
