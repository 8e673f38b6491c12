import { CountersignError, invalidOption } from '../internal/errors.ts'
import type { VerifyingKey } from '../tokens/jws.ts'
import { readPublicKey } from '../tokens/public-key.ts'

/** A program that calls for itself, with the keys that it proves itself by (`private_key_jwt`). */
export interface OAuthClient {
  /** Its name in tokens: 1 to 128 of `A-Z a-z 0-9 . _ ~ : / -`. Must never be the subject of a person (RFC 9700 section 4.15). */
  readonly id: string
  /** Public JWKs, `ES256` or `Ed25519`, each with a `kid` of its own; two while it changes keys. */
  readonly publicKeys: readonly Readonly<Record<string, unknown>>[]
}

/** What is known of a client once its keys have been read. */
export interface KnownClient {
  readonly id: string
  readonly keys: readonly VerifyingKey[]
}

const ID = /^[A-Za-z0-9._~:/-]{1,128}$/
const MAX_KEYS = 8

/**
 * Reads a client.
 *
 * @throws CountersignError `ERR_CONFIG_INVALID` for its id, `ERR_KEY_UNUSABLE` for a key that is private, weak, off its
 * curve, of another algorithm or listed twice.
 */
export function readClient(client: OAuthClient): KnownClient {
  const { id, publicKeys } = client
  if (typeof id !== 'string' || !ID.test(id)) {
    throw invalidOption('id', 'must be 1 to 128 letters, digits and . _ ~ : / -')
  }
  if (!Array.isArray(publicKeys) || publicKeys.length < 1 || publicKeys.length > MAX_KEYS) {
    throw invalidOption('publicKeys', `must be a list of 1 to ${MAX_KEYS} public JWKs`)
  }
  const keys = publicKeys.map((jwk, index) => readClientKey(jwk, `publicKeys[${index}]`))
  if (new Set(keys.map(({ kid }) => kid)).size < keys.length) {
    throw new CountersignError('ERR_KEY_UNUSABLE', '"publicKeys" needs a "kid" of its own for each key')
  }
  return Object.freeze({ id, keys: Object.freeze(keys) })
}

/** RS256 is for issuers that give no choice; a client makes its key for us. */
function readClientKey(jwk: Readonly<Record<string, unknown>>, where: string): VerifyingKey {
  const key = readPublicKey(jwk, where, ALG_OF[String(jwk?.kty)])
  if (key.alg === 'RS256') throw new CountersignError('ERR_KEY_UNUSABLE', `"${where}" must be for ES256 or Ed25519`)
  return key
}
/** For a JWK without `alg`. */
const ALG_OF: Readonly<Record<string, string>> = { EC: 'ES256', OKP: 'Ed25519', RSA: 'RS256' }
