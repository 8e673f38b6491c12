import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto'
import { fromBase64url } from '../internal/bytes.ts'
import { isSoundEd25519Point } from './ed25519-point.ts'
import type { ForeignKeyLookup, VerifyingKey } from './jws.ts'
import { SECRET_BYTES, unusable } from './key-material.ts'
import { signatureCheck, type VerifyingAlg } from './signatures.ts'

/** What each algorithm asks of a JWK (RFC 7518 section 6, RFC 8037 section 2). */
const KINDS = {
  HS256: { kty: 'oct', crv: undefined },
  ES256: { kty: 'EC', crv: 'P-256' },
  Ed25519: { kty: 'OKP', crv: 'Ed25519' },
  RS256: { kty: 'RSA', crv: undefined },
} as const
/** Members that only a private or secret key has. */
const SECRET_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

/** NIST SP 800-131A: less is no longer used. More than the upper bound only costs time. */
const MIN_RSA_BITS = 2_048
const MAX_RSA_BITS = 8_192
/** FIPS 186-5 section 5.1: odd and above 2^16. */
const MIN_RSA_EXPONENT = 65_537n
const MAX_RSA_EXPONENT = 2n ** 64n

type Jwk = Readonly<Record<string, unknown>>

/**
 * Reads the public key of somebody else. It is bound to one algorithm from here on (RFC 8725bis section 3.1): the one
 * that its JWK names, else the one that the caller names. `EdDSA` is read as `Ed25519` with the old name as an alias.
 *
 * @param where - What the message calls it.
 * @param alg - For a JWK without `alg`. Must not contradict one.
 * @throws CountersignError `ERR_KEY_UNUSABLE` when the key is private or symmetric, not meant for verifying, of another
 * type or curve than its algorithm, off its curve, or weak: RSA under 2 048 bits or with an exponent under 65 537.
 */
export function readPublicKey(jwk: unknown, where: string, alg?: string): VerifyingKey {
  const members = membersOf(jwk, where)
  if (SECRET_MEMBERS.some((name) => name in members)) throw unusable(where, 'must be a public key and holds a secret')
  const bound = boundTo(members, where, alg)
  if (bound.alg === 'HS256') throw unusable(where, 'must be a public key')
  return keyOf(members, bound, publicKey(members, bound.alg, where))
}

/**
 * Reads a shared HMAC key of at least 32 bytes (RFC 7518 section 3.2).
 *
 * @throws CountersignError `ERR_KEY_UNUSABLE`.
 */
export function readMacKey(jwk: unknown, where: string, alg?: string): VerifyingKey {
  const members = membersOf(jwk, where)
  const bound = boundTo(members, where, alg)
  if (bound.alg !== 'HS256') throw unusable(where, 'must be a key for HS256')
  const bytes = bytesOf(members.k)
  if (!bytes || bytes.length < SECRET_BYTES) throw unusable(where, `must have at least ${SECRET_BYTES} bytes`)
  return keyOf(members, bound, createSecretKey(bytes))
}

/**
 * Reads a JWK Set (RFC 7517 section 5) as a whole. Keys that are meant for something else, encryption or an algorithm
 * that is not asked for, are left out. Everything that should not be there refuses the whole set: a private or
 * symmetric key among public ones (and the reverse), one `kid` twice, a key that is weak or malformed.
 *
 * @param algs - The algorithms that are accepted from this issuer. A key without `alg` is bound to the one that fits its type.
 * @throws CountersignError `ERR_KEY_UNUSABLE`.
 */
export function readKeySet(set: unknown, where: string, algs: readonly VerifyingAlg[]): readonly VerifyingKey[] {
  const jwks = typeof set === 'object' && set !== null ? (set as { keys?: unknown }).keys : undefined
  if (!Array.isArray(jwks)) throw unusable(where, 'must be a JWK Set')
  const secret = algs.includes('HS256')
  const keys: VerifyingKey[] = []
  const kids = new Set<unknown>()
  for (const [index, jwk] of jwks.entries()) {
    const at = `${where}[${index}]`
    const members = membersOf(jwk, at)
    if ((members.kty === 'oct') !== secret || (!secret && SECRET_MEMBERS.some((name) => name in members))) {
      throw unusable(at, secret ? 'must be a symmetric key' : 'must be a public key and holds a secret')
    }
    if (members.kid !== undefined && kids.size === kids.add(members.kid).size) throw unusable(at, 'repeats a "kid"')
    const fitting = algs.find((alg) => KINDS[alg].kty === members.kty && isNamed(members.alg, alg))
    if (!isForVerifying(members, at) || fitting === undefined) continue
    if (members.alg === undefined && members.crv !== KINDS[fitting].crv) continue
    keys.push(secret ? readMacKey(jwk, at, fitting) : readPublicKey(jwk, at, fitting))
  }
  return keys
}

/** How a header finds its key: by `kid`, or without one when exactly one key fits its algorithm. */
export function foreignKeys(keys: readonly VerifyingKey[]): ForeignKeyLookup {
  const byKid = new Map(keys.flatMap((key) => (key.kid === undefined ? [] : [[key.kid, key] as const])))
  const fits = (key: VerifyingKey | undefined, alg: string) => key?.alg === alg || key?.alias === alg
  return (kid, alg) => {
    if (kid !== undefined) {
      const key = byKid.get(kid)
      return fits(key, alg) ? key : undefined
    }
    const fitting = keys.filter((key) => fits(key, alg))
    return fitting.length === 1 ? fitting[0] : undefined
  }
}

type Bound = { readonly alg: VerifyingAlg; readonly alias?: 'EdDSA' }

function boundTo(jwk: Jwk, where: string, named: string | undefined): Bound {
  const stated = jwk.alg ?? named
  const alias = stated === 'EdDSA' || named === 'EdDSA'
  const alg = stated === 'EdDSA' ? 'Ed25519' : stated
  if (typeof alg !== 'string' || !Object.hasOwn(KINDS, alg)) {
    throw unusable(where, 'needs an "alg" that is HS256, ES256, Ed25519 or RS256')
  }
  const bound = { alg: alg as VerifyingAlg, ...(alias && { alias: 'EdDSA' as const }) }
  if (named !== undefined && !isNamed(named, bound.alg)) throw unusable(where, 'names another "alg"')
  const kind = KINDS[bound.alg]
  if (jwk.kty !== kind.kty || jwk.crv !== kind.crv) throw unusable(where, `is not of the type that ${alg} needs`)
  if (!isForVerifying(jwk, where)) throw unusable(where, 'is not meant for verifying: see its "use" and "key_ops"')
  return bound
}

/** Whether a stated `alg` is this one. A JWK that states none is open to be bound. */
function isNamed(stated: unknown, alg: VerifyingAlg): boolean {
  return stated === undefined || stated === alg || (stated === 'EdDSA' && alg === 'Ed25519')
}

/** RFC 7517 sections 4.2 and 4.3: both members are optional, and what is there must allow it. */
function isForVerifying(jwk: Jwk, where: string): boolean {
  const { use, key_ops: ops } = jwk
  if (use !== undefined && typeof use !== 'string') throw unusable(where, 'has a "use" that is no text')
  if (ops !== undefined && !(Array.isArray(ops) && ops.every((op) => typeof op === 'string'))) {
    throw unusable(where, 'has "key_ops" that are no list')
  }
  return (use === undefined || use === 'sig') && (ops === undefined || ops.includes('verify'))
}

function membersOf(jwk: unknown, where: string): Jwk {
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) throw unusable(where, 'must be a JWK')
  const { kid } = jwk as Jwk
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > 256)) {
    throw unusable(where, 'has a "kid" that is no text of up to 256 characters')
  }
  return jwk as Jwk
}

function keyOf(jwk: Jwk, bound: Bound, key: KeyObject): VerifyingKey {
  const kid = jwk.kid as string | undefined
  return Object.freeze({ ...bound, ...(kid !== undefined && { kid }), verifies: signatureCheck(bound.alg, key) })
}

function publicKey(jwk: Jwk, alg: Exclude<VerifyingAlg, 'HS256'>, where: string): KeyObject {
  switch (alg) {
    case 'ES256': {
      const [x, y] = [bytesOf(jwk.x), bytesOf(jwk.y)]
      if (x?.length !== 32 || y?.length !== 32) throw unusable(where, 'must have coordinates of 32 bytes')
      return imported({ kty: 'EC', crv: 'P-256', x: jwk.x as string, y: jwk.y as string }, where)
    }
    case 'Ed25519': {
      const x = bytesOf(jwk.x)
      if (!x || !isSoundEd25519Point(x)) throw unusable(where, 'is no point of the curve, or one of small order')
      return imported({ kty: 'OKP', crv: 'Ed25519', x: jwk.x as string }, where)
    }
    case 'RS256': {
      const [n, e] = [bytesOf(jwk.n), bytesOf(jwk.e)]
      if (!n?.length || !e?.length || n.length > MAX_RSA_BITS / 8 + 1) throw unusable(where, 'has no usable modulus')
      const key = imported({ kty: 'RSA', n: jwk.n as string, e: jwk.e as string }, where)
      const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {}
      if (modulusLength < MIN_RSA_BITS || modulusLength > MAX_RSA_BITS || n.at(-1)! % 2 === 0) {
        throw unusable(where, `must have an odd modulus of ${MIN_RSA_BITS} to ${MAX_RSA_BITS} bits`)
      }
      if (publicExponent < MIN_RSA_EXPONENT || publicExponent > MAX_RSA_EXPONENT || publicExponent % 2n === 0n) {
        throw unusable(where, 'must have an odd exponent of at least 65537')
      }
      return key
    }
  }
}

/** Only the members that make the key: whatever else a JWK holds (`x5c`, `x5u`) is not looked at, and never followed. */
function imported(jwk: Record<string, string>, where: string): KeyObject {
  try {
    return createPublicKey({ format: 'jwk', key: jwk })
  } catch {
    throw unusable(where, 'is not a valid key: it may be off its curve')
  }
}

function bytesOf(text: unknown): Buffer | undefined {
  return typeof text === 'string' ? fromBase64url(text) : undefined
}
