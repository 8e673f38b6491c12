import { hmacSha256, toBase64url } from '../internal/bytes.ts'
import { CountersignError } from '../internal/errors.ts'
import { type JwsRule, type KeyLookup, knownHeaders } from './jws.ts'
import {
  type KeyJwk,
  type KeyState,
  type NumberedKey,
  readSecret,
  readSigningKey,
  type SealingKey,
  type SigningAlg,
  type SigningKey,
  unusable,
} from './key-material.ts'

/** RFC 9068 section 2.1. */
export const ACCESS_TOKEN_TYPE = 'at+jwt'

/** The keyring file: JSON, kept secret, backed up together with the data. */
export interface KeyringFile {
  version: 1
  /** Makes the tags of subjects. Never rotated and used for nothing else: without it no session is found again. */
  placement: KeyJwk
  /** Authenticate opaque and refresh tokens before any store is asked. */
  mac: KeyJwk[]
  /** Derive the successor of a refresh token. Not in the store, and kept longer than the longest refresh lifetime. */
  rotation: KeyJwk[]
  /** Sign access tokens. */
  signing: KeyJwk[]
  /** Encrypt sealed tokens. */
  sealing: KeyJwk[]
}

/** What can be rotated. The placement key cannot: without it no session is found again. */
export type RotatedUse = 'mac' | 'rotation' | 'signing' | 'sealing'
export const ROTATED_USES = ['mac', 'rotation', 'signing', 'sealing'] as const satisfies readonly RotatedUse[]

/** What an inventory shows of a key (ASVS 11.1.2). Never the key. */
export interface KeyInfo {
  readonly use: 'placement' | RotatedUse
  readonly kid: string
  readonly alg: string
  readonly state: KeyState
  readonly created: string
  readonly number?: number
}

/** The content of one keyring file, read and checked. Never changes: a reload makes another one. */
export interface Keys {
  /** Counts the contents that this process has had, from 1. Whoever keeps something made with keys keeps it with this. */
  readonly version: number
  readonly placement: NumberedKey['key']
  /** Not secret: a store keeps it, and refuses a node that holds another key. */
  readonly placementFingerprint: string
  readonly mac: NumberedKeys
  readonly rotation: NumberedKeys
  /** All signing keys but retired ones. */
  readonly signing: ReadonlyMap<string, SigningKey>
  /** The key that a header names, if its algorithm is that key's. */
  readonly find: KeyLookup
  /** Our access tokens, whose headers are known. */
  readonly accessRule: JwsRule
  /** The newest active key for one of these algorithms. */
  signWith(...algs: readonly SigningAlg[]): SigningKey | undefined
  /** All sealing keys but retired ones. */
  readonly sealing: ReadonlyMap<string, SealingKey>
  sealWith(): SealingKey | undefined
  readonly infos: readonly KeyInfo[]
  readonly jwks: { readonly keys: readonly Readonly<Record<string, string>>[] }
}
export interface NumberedKeys {
  readonly active: NumberedKey
  /** Every key but retired ones. */
  readonly usable: readonly NumberedKey[]
  find(number: number): NumberedKey | undefined
}

/** @throws CountersignError `ERR_KEY_NOT_FOUND`, `ERR_KEY_UNUSABLE`: see `loadKeyring`. */
export function readKeys(file: KeyringFile, version: number): Keys {
  if (typeof file !== 'object' || file === null || file.version !== 1) {
    throw unusable('version', 'must be 1: this is not a keyring file of this release')
  }
  for (const use of ROTATED_USES) {
    if (!Array.isArray(file[use])) throw unusable(use, 'must be an array of keys')
  }
  const infos = inventory(file)
  const kids = infos.map((info) => info.kid)
  const twice = kids.find((kid, index) => kids.indexOf(kid) !== index)
  if (twice !== undefined) throw unusable('kid', 'is the same for two keys')

  const placement = readSecret(file.placement, 'placement')
  const signing = file.signing.map((jwk, index) => readSigningKey(jwk, `signing[${index}]`)).filter(isUsable)
  const sealing = file.sealing.map((jwk, index) => sealingKey(jwk, `sealing[${index}]`)).filter(isUsable)
  const byKid = new Map(signing.map((key) => [key.kid, key]))
  return Object.freeze<Keys>({
    version,
    placement,
    placementFingerprint: toBase64url(hmacSha256(placement, 'cs-placement-fingerprint').subarray(0, 12)),
    mac: numbered(file.mac, 'mac'),
    rotation: numbered(file.rotation, 'rotation'),
    signing: byKid,
    find: (kid, alg) => {
      const key = byKid.get(kid)
      return key?.alg === alg ? key : undefined
    },
    accessRule: { typ: ACCESS_TOKEN_TYPE, known: knownHeaders(ACCESS_TOKEN_TYPE, signing) },
    sealing: new Map(sealing.map((key) => [key.kid, key])),
    sealWith: () => sealing.findLast((key) => key.state === 'active'),
    signWith: (...algs) => signing.findLast((key) => key.state === 'active' && algs.includes(key.alg)),
    infos,
    jwks: Object.freeze({ keys: signing.flatMap((key) => (key.publicJwk ? [key.publicJwk] : [])) }),
  })
}

const isUsable = (key: { readonly state: KeyState }) => key.state !== 'retired'

function sealingKey(jwk: KeyJwk, where: string): SealingKey {
  if (jwk.alg !== undefined && jwk.alg !== 'A256GCM') throw unusable(where, 'must have no "alg" but "A256GCM"')
  return { kid: jwk.kid, state: jwk.state, key: readSecret(jwk, where), seals: 0 }
}

function inventory(file: KeyringFile): readonly KeyInfo[] {
  const all = ROTATED_USES.flatMap((use) => file[use].map((jwk, index) => ({ use, jwk, where: `${use}[${index}]` })))
  return [{ use: 'placement' as const, jwk: file.placement, where: 'placement' }, ...all].map(({ use, jwk, where }) => {
    if (typeof jwk !== 'object' || jwk === null) throw unusable(where, 'must be a JWK')
    const { kid, state, created, number } = jwk
    if (typeof kid !== 'string' || !/^[\x21-\x7e]{1,128}$/.test(kid))
      throw unusable(where, 'needs a "kid" of 1 to 128 visible characters')
    if (!STATES.includes(state)) throw unusable(where, `needs a "state": ${STATES.join(', ')}`)
    if (typeof created !== 'string' || Number.isNaN(Date.parse(created)))
      throw unusable(where, 'needs "created" as an ISO 8601 time')
    const alg = use === 'signing' ? String(jwk.alg) : use === 'sealing' ? 'A256GCM' : 'HS256'
    return Object.freeze({ use, kid, alg, state, created, ...(number !== undefined && { number }) })
  })
}

const STATES: readonly unknown[] = ['pending', 'active', 'retiring', 'retired'] satisfies KeyState[]

function numbered(jwks: readonly KeyJwk[], use: 'mac' | 'rotation'): NumberedKeys {
  const keys = jwks.map((jwk, index): NumberedKey => {
    const where = `${use}[${index}]`
    const { number, kid, state } = jwk
    if (!Number.isInteger(number) || number! < 1 || number! > 255)
      throw unusable(where, 'needs a "number" from 1 to 255')
    return { number: number!, kid, state, key: readSecret(jwk, where) }
  })
  const usable = keys.filter(isUsable)
  const byNumber = new Map(usable.map((key) => [key.number, key]))
  if (new Set(keys.map((key) => key.number)).size !== keys.length) throw unusable(use, 'uses a number twice')
  const active = keys.findLast((key) => key.state === 'active')
  if (!active) throw new CountersignError('ERR_KEY_NOT_FOUND', `the keyring has no active ${use} key`)
  return { active, usable, find: (number) => byNumber.get(number) }
}
