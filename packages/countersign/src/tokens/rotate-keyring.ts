import { CountersignError, invalidInput } from '../internal/errors.ts'
import { type Runtime, systemRuntime } from '../internal/runtime.ts'
import { generateKeyring } from './generate-keyring.ts'
import type { KeyJwk, SigningAlg } from './key-material.ts'
import { type KeyringFile, ROTATED_USES, type RotatedUse } from './keys.ts'

/** A changed copy of the content of a keyring file, and what was changed. */
export interface RotatedKeyring {
  readonly file: KeyringFile
  /** The key that is, or with `prepare` will be, in use. */
  readonly kid: string
  /** Keys that are not used for anything new any more. */
  readonly retiring: readonly string[]
}

const MAX_NUMBER = 255

/**
 * Puts a new key into use and lets the old one only be accepted any more, so that nobody is logged out. Where several
 * processes have the file, do it twice: first with `prepare`, which adds a key that is accepted and not used (`pending`),
 * and once every process has taken it up, without, which puts that one into use.
 *
 * @param file - Content of a keyring file. Not changed.
 * @param options.alg - For `signing`: the algorithm of the new key. Default that of the newest active key. A key that is
 * published (`ES256`, `Ed25519`) takes the place of such a key only, and `HS256` that of `HS256`; see {@link withdrawKey}
 * for going from one to the other.
 * @throws CountersignError `ERR_KEY_UNUSABLE` when all numbers from 1 to 255 have been used.
 */
export function rotateKeyring(
  file: KeyringFile,
  use: RotatedUse,
  options: { alg?: SigningAlg; prepare?: boolean; runtime?: Runtime } = {},
): RotatedKeyring {
  if (!ROTATED_USES.includes(use)) throw invalidInput('use', "must be 'mac', 'rotation', 'signing' or 'sealing'")
  const { prepare = false, runtime = systemRuntime } = options
  if (options.alg !== undefined && !['HS256', 'ES256', 'Ed25519'].includes(options.alg)) {
    throw invalidInput('alg', "must be 'HS256', 'ES256' or 'Ed25519'")
  }
  const since = sinceOf(runtime)
  const keys = file[use]
  const alg = use === 'signing' ? (options.alg ?? newestAlg(keys)) : undefined
  const pending = pendingKey(file, use, alg)
  const next = pending ?? newKey(use, keys, alg, runtime)
  if (prepare) {
    const added: KeyJwk[] = pending ? keys : [...keys, { ...next, state: 'pending', since }]
    return { file: { ...file, [use]: added }, kid: next.kid, retiring: [] }
  }
  const isSameJob = (key: KeyJwk) => use !== 'signing' || (key.alg === 'HS256') === (alg === 'HS256')
  const old = keys.filter((key) => key.state === 'active' && isSameJob(key))
  const others = keys
    .filter((key) => key.kid !== next.kid)
    .map((key): KeyJwk => (old.includes(key) ? { ...key, state: 'retiring', since } : key))
  // At the end: of several active keys the last one is used.
  const changed: KeyJwk[] = [...others, { ...next, state: 'active', since }]
  return { file: { ...file, [use]: changed }, kid: next.kid, retiring: old.map(({ kid }) => kid) }
}

/** The key that {@link rotateKeyring} would put into use, if one was prepared. Its `since` says when. */
export function pendingKey(file: KeyringFile, use: RotatedUse, alg?: SigningAlg): KeyJwk | undefined {
  const keys = file[use]
  const wanted = use === 'signing' ? (alg ?? newestAlg(keys)) : undefined
  return keys.findLast((key) => key.state === 'pending' && (wanted === undefined || key.alg === wanted))
}

/**
 * Takes a key out of use, so that it is only accepted any more, while another active key does its job: after a change of
 * algorithm, when no process signs with the old one.
 *
 * @returns `undefined` when there is no such key.
 * @throws CountersignError `ERR_INPUT_INVALID` for a key that is not active, or is the last active one of its use.
 */
export function withdrawKey(
  file: KeyringFile,
  kid: string,
  options: { runtime?: Runtime } = {},
): ChangedKey | undefined {
  const found = findKey(file, kid)
  if (!found) return undefined
  const { use, key } = found
  if (key.state !== 'active') throw invalidInput('kid', 'is not in use')
  if (file[use].filter(({ state }) => state === 'active').length === 1) {
    throw invalidInput('kid', `is the only ${use} key in use: rotate instead`)
  }
  return changeState(file, found, 'retiring', options.runtime)
}

/**
 * Lets a key be accepted nowhere any more. Every token that it made is refused from the moment that a process has read
 * the changed file. Its number stays taken.
 *
 * @returns `undefined` when there is no such key.
 * @throws CountersignError `ERR_INPUT_INVALID` for a key that is in use, and for the placement key.
 */
export function retireKey(file: KeyringFile, kid: string, options: { runtime?: Runtime } = {}): ChangedKey | undefined {
  const found = findKey(file, kid)
  if (!found) return undefined
  if (found.key.state === 'active') throw invalidInput('kid', 'is in use: rotate first, or withdraw it')
  return changeState(file, found, 'retired', options.runtime)
}

interface FoundKey {
  readonly use: RotatedUse
  readonly key: KeyJwk
}
/** A changed copy of the content of a keyring file, and the key as it was before. */
export interface ChangedKey extends FoundKey {
  readonly file: KeyringFile
}

function findKey(file: KeyringFile, kid: string): FoundKey | undefined {
  if (file.placement.kid === kid) throw invalidInput('kid', 'is the placement key, which is never replaced')
  for (const use of ROTATED_USES) {
    const key = file[use].find((one) => one.kid === kid)
    if (key) return { use, key }
  }
  return undefined
}

function changeState(
  file: KeyringFile,
  { use, key }: FoundKey,
  state: 'retiring' | 'retired',
  runtime: Runtime = systemRuntime,
): ChangedKey {
  const since = sinceOf(runtime)
  const changed = file[use].map((one): KeyJwk => (one === key ? { ...one, state, since } : one))
  return { file: { ...file, [use]: changed }, use, key }
}

function sinceOf({ clock }: Runtime): string {
  return new Date(clock.nowMs()).toISOString()
}

function newestAlg(keys: readonly KeyJwk[]): SigningAlg {
  return (keys.findLast((key) => key.state === 'active')?.alg ?? 'ES256') as SigningAlg
}

function newKey(use: RotatedUse, keys: readonly KeyJwk[], alg: SigningAlg | undefined, runtime: Runtime): KeyJwk {
  const fresh = generateKeyring({ signing: alg === undefined ? [] : [alg], sealing: use === 'sealing', runtime })[
    use
  ][0]!
  if (use === 'signing' || use === 'sealing') return fresh
  // Of all keys, retired ones too: a number stands in tokens and is never used again.
  const number = Math.max(0, ...keys.map((key) => key.number ?? 0)) + 1
  if (number > MAX_NUMBER) {
    throw new CountersignError('ERR_KEY_UNUSABLE', `"${use}" has used up its numbers: the highest is ${MAX_NUMBER}`)
  }
  return { ...fresh, number }
}
