import { readFile } from 'node:fs/promises'
import { sha256 } from '../internal/bytes.ts'
import { CountersignError, invalidInput } from '../internal/errors.ts'
import { type SealingKey, type SigningAlg, type SigningKey, unusable } from './key-material.ts'
import { type KeyInfo, type KeyringFile, type Keys, readKeys } from './keys.ts'

/** The keys of one deployment, parsed and checked. Its secrets cannot be read from it, printed or serialised. */
export interface Keyring {
  readonly kids: readonly string[]
  /** Counts the contents that this keyring has had, from 1: whoever keeps something made of its keys keeps this with it. */
  readonly version: number
  /** All keys without their secrets. */
  describe(): readonly KeyInfo[]
  /** The public halves of all signing keys but retired ones as a JWK Set (RFC 7517 section 5). */
  jwks(): { readonly keys: readonly Readonly<Record<string, string>>[] }
  /**
   * Takes up what the file holds now, for everything that was made with this keyring: all of it or, when it throws, nothing,
   * and the keys from before stay in force. Calls at the same time follow each other. Call it on a signal and every few
   * seconds: one that finds nothing new only reads the file.
   *
   * @param content - The content of the file, and only where the keyring was not loaded from one.
   * @returns False when nothing was new.
   * @throws CountersignError what `loadKeyring` throws, and `ERR_KEY_UNUSABLE` when the content does not continue the one in
   * force: another placement key, a number or `kid` that stands for another key, a key that is missing (set it to
   * `retired` instead), or no active key left where this process signs while others of the algorithm still count.
   */
  reload(content?: object): Promise<boolean>
}

/** What a process makes tokens with. */
export interface Signer {
  /** Any of them; none where tokens are not signed. */
  readonly algs: readonly SigningAlg[]
  readonly sealed: boolean
}

interface Held {
  keys: Keys
  /** SHA-256 of the content. */
  digest: Uint8Array
  readonly signers: Set<Signer>
}
const held = new WeakMap<Keyring, Held>()

function heldBy(keyring: Keyring): Held {
  const found = held.get(keyring)
  if (!found) throw new CountersignError('ERR_CONFIG_INVALID', '"keyring" must come from loadKeyring')
  return found
}

/** The keys behind a keyring as they are now. Never keep them: ask again for each step, or a reload passes by. */
export function keysOf(keyring: Keyring): Keys {
  return heldBy(keyring).keys
}

/**
 * Makes sure that there are keys to make tokens with, and that a reload does not take them away.
 *
 * @returns What ends that.
 * @throws CountersignError `ERR_KEY_NOT_FOUND`
 */
export function keepSigning(keyring: Keyring, { algs, sealed }: Signer): () => void {
  const { keys, signers } = heldBy(keyring)
  if (algs.length > 0 && !keys.signWith(...algs)) throw noSigningKey(algs)
  if (sealed && !keys.sealWith()) throw noSealingKey()
  const signer = { algs, sealed }
  signers.add(signer)
  return () => signers.delete(signer)
}

export function noSigningKey(algs: readonly SigningAlg[]): CountersignError {
  return new CountersignError('ERR_KEY_NOT_FOUND', `the keyring has no active signing key for ${algs.join(' or ')}`)
}
export function noSealingKey(): CountersignError {
  return new CountersignError('ERR_KEY_NOT_FOUND', 'the keyring has no active sealing key')
}

/**
 * Reads a keyring from a file, or from the parsed content of one.
 *
 * @param source - Path or `file:` URL of a JSON file, or the object that such a file holds.
 * @throws CountersignError `ERR_KEY_NOT_FOUND` when the file is missing or a purpose has no active key;
 * `ERR_KEY_UNUSABLE` when a key is weak, malformed, off its curve or listed twice. No message holds key material.
 */
export async function loadKeyring(source: string | URL | object): Promise<Keyring> {
  const path = typeof source === 'string' || source instanceof URL ? source : undefined
  const first = path === undefined ? source : await contentOf(path)
  const now: Held = { keys: readKeys(first as KeyringFile, 1), digest: digestOf(first), signers: new Set() }

  const take = async (content: object | undefined): Promise<boolean> => {
    if ((content === undefined) === (path === undefined)) {
      throw invalidInput('content', path === undefined ? 'is needed: no file is known' : 'comes from the file')
    }
    const next = content ?? (await contentOf(path!))
    const digest = digestOf(next)
    if (Buffer.compare(digest, now.digest) === 0) return false
    const keys = readKeys(next as KeyringFile, now.keys.version + 1)
    refuseBreak(now.keys, keys, next as KeyringFile, now.signers)
    // The same key goes on counting.
    for (const [kid, key] of keys.sealing) key.seals = now.keys.sealing.get(kid)?.seals ?? 0
    now.keys = keys
    now.digest = digest
    return true
  }
  let last: Promise<unknown> = Promise.resolve()
  const keyring: Keyring = Object.freeze({
    get kids() {
      return now.keys.infos.map(({ kid }) => kid)
    },
    get version() {
      return now.keys.version
    },
    describe: () => now.keys.infos,
    jwks: () => now.keys.jwks,
    reload(content?: object) {
      // One after the other: what was read first must not be taken up last.
      const taken = last.then(() => take(content))
      last = taken.catch(() => undefined)
      return taken
    },
  })
  held.set(keyring, now)
  return keyring
}

async function contentOf(path: string | URL): Promise<object> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw new CountersignError('ERR_KEY_NOT_FOUND', 'the keyring file cannot be read', { cause })
  }
  try {
    return JSON.parse(text) as object
  } catch {
    // Without the cause: a syntax error quotes the text around it, and that text is a secret.
    throw new CountersignError('ERR_KEY_UNUSABLE', 'the keyring file is not JSON')
  }
}

function digestOf(content: unknown): Uint8Array {
  return sha256(Buffer.from(JSON.stringify(content) ?? ''))
}

/** Refuses a content that would log somebody out, or take up what cannot have been meant. */
function refuseBreak(now: Keys, next: Keys, file: KeyringFile, signers: Held['signers']): void {
  if (!next.placement.equals(now.placement)) throw unusable('placement', 'is another key: it must never change')
  for (const use of ['mac', 'rotation'] as const) {
    for (const { number, kid, key } of now[use].usable) {
      const same = file[use].find((one) => one.number === number)
      if (!same) throw unusable(use, `lacks the key number ${number}, which is in force: set it to "retired" instead`)
      const other = next[use].find(number)
      if (same.kid !== kid || (other && !other.key.equals(key)))
        throw unusable(use, `has another key under the number ${number}`)
    }
  }
  for (const use of ['signing', 'sealing'] as const) {
    for (const [kid, key] of now[use]) {
      if (!file[use].some((one) => one.kid === kid))
        throw unusable(use, `lacks the key ${kid}, which is in force: set it to "retired" instead`)
      const other = next[use].get(kid)
      if (other && !materialOf(other).equals(materialOf(key)))
        throw unusable(use, `has another key under the name ${kid}`)
    }
  }
  for (const { algs, sealed } of signers) {
    // Where all of them are retired, there was a leak: that has to be obeyed.
    const isLeft = [...next.signing.values()].some(({ alg }) => algs.includes(alg))
    if (isLeft && !next.signWith(...algs))
      throw unusable('signing', `has no active key for ${algs.join(' or ')}, with which this process signs`)
    if (sealed && next.sealing.size > 0 && !next.sealWith())
      throw unusable('sealing', 'has no active key, and this process seals')
  }
}

const materialOf = (key: SigningKey | SealingKey) => ('verifyWith' in key ? key.verifyWith : key.key)
