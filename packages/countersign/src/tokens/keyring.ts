import { readFile } from 'node:fs/promises'
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

/** What an inventory shows of a key (ASVS 11.1.2). Never the key. */
export interface KeyInfo {
  readonly use: 'placement' | 'mac' | 'rotation' | 'signing' | 'sealing'
  readonly kid: string
  readonly alg: string
  readonly state: KeyState
  readonly created: string
  readonly number?: number
}

/** The keys of one deployment, parsed and checked. Its secrets cannot be read from it, printed or serialised. */
export interface Keyring {
  readonly kids: readonly string[]
  /** All keys without their secrets. */
  describe(): readonly KeyInfo[]
  /** The public halves of the active and retiring signing keys as a JWK Set (RFC 7517 section 5). */
  jwks(): { readonly keys: readonly Readonly<Record<string, string>>[] }
}

/** What the rest of the library works with. Reached through {@link keysOf} only. */
export interface Keys {
  readonly placement: NumberedKey['key']
  /** Not secret: a store keeps it, and refuses a node that holds another key. */
  readonly placementFingerprint: string
  readonly mac: NumberedKeys
  readonly rotation: NumberedKeys
  /** Active and retiring signing keys. */
  readonly signing: ReadonlyMap<string, SigningKey>
  /** The key that a header names, if its algorithm is that key's. */
  readonly find: KeyLookup
  /** Our access tokens, whose headers are known. */
  readonly accessRule: JwsRule
  signWith(alg: SigningAlg): SigningKey | undefined
  /** Active and retiring sealing keys. */
  readonly sealing: ReadonlyMap<string, SealingKey>
  sealWith(): SealingKey | undefined
}
export interface NumberedKeys {
  readonly active: NumberedKey
  /** Active and retiring keys; a retired one is not found. */
  find(number: number): NumberedKey | undefined
}

const secrets = new WeakMap<Keyring, Keys>()

/** The keys behind a keyring. */
export function keysOf(keyring: Keyring): Keys {
  const keys = secrets.get(keyring)
  if (!keys) throw new CountersignError('ERR_CONFIG_INVALID', '"keyring" must come from loadKeyring')
  return keys
}

/**
 * Reads a keyring from a file, or from the parsed content of one.
 *
 * @param source - Path or `file:` URL of a JSON file, or the object that such a file holds.
 * @throws CountersignError `ERR_KEY_NOT_FOUND` when the file is missing or a purpose has no active key;
 * `ERR_KEY_UNUSABLE` when a key is weak, malformed, off its curve or listed twice. No message holds key material.
 */
export async function loadKeyring(source: string | URL | object): Promise<Keyring> {
  if (typeof source === 'object' && !(source instanceof URL)) return parseKeyring(source as KeyringFile)
  let text: string
  try {
    text = await readFile(source, 'utf8')
  } catch (cause) {
    throw new CountersignError('ERR_KEY_NOT_FOUND', 'the keyring file cannot be read', { cause })
  }
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    // Without the cause: a syntax error quotes the text around it, and that text is a secret.
    throw new CountersignError('ERR_KEY_UNUSABLE', 'the keyring file is not JSON')
  }
  return parseKeyring(parsed as KeyringFile)
}

function parseKeyring(file: KeyringFile): Keyring {
  if (typeof file !== 'object' || file === null || file.version !== 1) {
    throw unusable('version', 'must be 1: this is not a keyring file of this release')
  }
  for (const use of ['mac', 'rotation', 'signing', 'sealing'] as const) {
    if (!Array.isArray(file[use])) throw unusable(use, 'must be an array of keys')
  }
  const infos = inventory(file)
  const kids = infos.map((info) => info.kid)
  const twice = kids.find((kid, index) => kids.indexOf(kid) !== index)
  if (twice !== undefined) throw unusable('kid', 'is the same for two keys')

  const placement = readSecret(file.placement, 'placement')
  const signing = file.signing.map((jwk, index) => readSigningKey(jwk, `signing[${index}]`))
  const usable = signing.filter((key) => key.state !== 'retired')
  const sealing = file.sealing
    .map((jwk, index): SealingKey => {
      const where = `sealing[${index}]`
      if (jwk.alg !== undefined && jwk.alg !== 'A256GCM') throw unusable(where, 'must have no "alg" but "A256GCM"')
      return { kid: jwk.kid, state: jwk.state, key: readSecret(jwk, where), seals: 0 }
    })
    .filter((key) => key.state !== 'retired')
  const byKid = new Map(usable.map((key) => [key.kid, key]))
  const keys: Keys = {
    placement,
    placementFingerprint: toBase64url(hmacSha256(placement, 'cs-placement-fingerprint').subarray(0, 12)),
    mac: numbered(file.mac, 'mac'),
    rotation: numbered(file.rotation, 'rotation'),
    signing: byKid,
    find: (kid, alg) => {
      const key = byKid.get(kid)
      return key?.alg === alg ? key : undefined
    },
    accessRule: { typ: ACCESS_TOKEN_TYPE, known: knownHeaders(ACCESS_TOKEN_TYPE, usable) },
    sealing: new Map(sealing.map((key) => [key.kid, key])),
    sealWith: () => sealing.findLast((key) => key.state === 'active'),
    signWith: (alg) => usable.findLast((key) => key.state === 'active' && key.alg === alg),
  }
  const keyring: Keyring = Object.freeze({
    kids: Object.freeze(kids),
    describe: () => infos,
    jwks: () => ({ keys: usable.flatMap((key) => (key.publicJwk ? [key.publicJwk] : [])) }),
  })
  secrets.set(keyring, keys)
  return keyring
}

function inventory(file: KeyringFile): readonly KeyInfo[] {
  const all = (['mac', 'rotation', 'signing', 'sealing'] as const).flatMap((use) =>
    file[use].map((jwk, index) => ({ use, jwk, where: `${use}[${index}]` })),
  )
  return [{ use: 'placement' as const, jwk: file.placement, where: 'placement' }, ...all].map(({ use, jwk, where }) => {
    if (typeof jwk !== 'object' || jwk === null) throw unusable(where, 'must be a JWK')
    const { kid, state, created, number } = jwk
    if (typeof kid !== 'string' || !/^[\x21-\x7e]{1,128}$/.test(kid))
      throw unusable(where, 'needs a "kid" of 1 to 128 visible characters')
    if (state !== 'active' && state !== 'retiring' && state !== 'retired')
      throw unusable(where, 'needs a "state": active, retiring or retired')
    if (typeof created !== 'string' || Number.isNaN(Date.parse(created)))
      throw unusable(where, 'needs "created" as an ISO 8601 time')
    const alg = use === 'signing' ? String(jwk.alg) : use === 'sealing' ? 'A256GCM' : 'HS256'
    return Object.freeze({ use, kid, alg, state, created, ...(number !== undefined && { number }) })
  })
}

function numbered(jwks: readonly KeyJwk[], use: 'mac' | 'rotation'): NumberedKeys {
  const keys = jwks.map((jwk, index): NumberedKey => {
    const where = `${use}[${index}]`
    const { number, kid, state } = jwk
    if (!Number.isInteger(number) || number! < 1 || number! > 255)
      throw unusable(where, 'needs a "number" from 1 to 255')
    return { number: number!, kid, state, key: readSecret(jwk, where) }
  })
  const byNumber = new Map(keys.filter((key) => key.state !== 'retired').map((key) => [key.number, key]))
  if (new Set(keys.map((key) => key.number)).size !== keys.length) throw unusable(use, 'uses a number twice')
  const active = keys.findLast((key) => key.state === 'active')
  if (!active) throw new CountersignError('ERR_KEY_NOT_FOUND', `the keyring has no active ${use} key`)
  return { active, find: (number) => byNumber.get(number) }
}
