import { CountersignError, invalidInput } from '../internal/errors.ts'
import { type Runtime, systemRuntime } from '../internal/runtime.ts'
import { generateKeyring } from './generate-keyring.ts'
import type { KeyJwk, SigningAlg } from './key-material.ts'
import type { KeyringFile } from './keyring.ts'

/** What can be rotated. The placement key cannot: without it no session is found again. */
export type RotatedUse = 'mac' | 'rotation' | 'signing'

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
 * processes have the file, do it twice: first with `prepare`, which adds a key that is accepted and not used, and once
 * every process has read it, without, which puts that one into use.
 *
 * @param file - Content of a keyring file. Not changed.
 * @param options.alg - For `signing`: the algorithm of the new key. Default that of the newest active key. A key that is
 * published (`ES256`, `Ed25519`) takes the place of such a key only, and `HS256` that of `HS256`.
 * @throws CountersignError `ERR_KEY_UNUSABLE` when all numbers from 1 to 255 have been used.
 */
export function rotateKeyring(
  file: KeyringFile,
  use: RotatedUse,
  options: { alg?: SigningAlg; prepare?: boolean; runtime?: Runtime } = {},
): RotatedKeyring {
  if (use !== 'mac' && use !== 'rotation' && use !== 'signing') {
    throw invalidInput('use', "must be 'mac', 'rotation' or 'signing'")
  }
  const { prepare = false, runtime = systemRuntime } = options
  if (options.alg !== undefined && !['HS256', 'ES256', 'Ed25519'].includes(options.alg)) {
    throw invalidInput('alg', "must be 'HS256', 'ES256' or 'Ed25519'")
  }
  const since = new Date(runtime.clock.nowMs()).toISOString()
  const keys = file[use]
  const alg = use === 'signing' ? (options.alg ?? newestAlg(keys)) : undefined
  const isSameJob = (key: KeyJwk) => use !== 'signing' || (key.alg === 'HS256') === (alg === 'HS256')
  const newestActive = keys.findLastIndex((key) => key.state === 'active' && isSameJob(key))
  // Behind the key in use: it was added to be next.
  const prepared = keys.findIndex(
    (key, index) => index > newestActive && key.state === 'retiring' && isSameJob(key) && key.alg === (alg ?? key.alg),
  )
  const next = prepared >= 0 ? keys[prepared]! : newKey(use, keys, alg, runtime)
  if (prepare) {
    const added: KeyJwk[] = prepared >= 0 ? keys : [...keys, { ...next, state: 'retiring', since }]
    return { file: { ...file, [use]: added }, kid: next.kid, retiring: [] }
  }
  const old = keys.filter((key) => key.state === 'active' && isSameJob(key))
  const others = keys
    .filter((key) => key.kid !== next.kid)
    .map((key): KeyJwk => (old.includes(key) ? { ...key, state: 'retiring', since } : key))
  const changed: KeyJwk[] = [...others, { ...next, state: 'active', since }]
  return { file: { ...file, [use]: changed }, kid: next.kid, retiring: old.map(({ kid }) => kid) }
}

/**
 * Lets a key be accepted nowhere any more. Every token that it made is refused from the moment that a process has read
 * the changed file. Its number stays taken.
 *
 * @returns `undefined` when there is no such key.
 * @throws CountersignError `ERR_INPUT_INVALID` for a key that is in use, and for the placement key.
 */
export function retireKey(
  file: KeyringFile,
  kid: string,
  options: { runtime?: Runtime } = {},
): { readonly file: KeyringFile; readonly use: RotatedUse | 'sealing'; readonly key: KeyJwk } | undefined {
  if (file.placement.kid === kid) throw invalidInput('kid', 'is the placement key, which is never replaced')
  const since = new Date((options.runtime ?? systemRuntime).clock.nowMs()).toISOString()
  for (const use of ['mac', 'rotation', 'signing', 'sealing'] as const) {
    const key = file[use].find((one) => one.kid === kid)
    if (!key) continue
    if (key.state === 'active') throw invalidInput('kid', 'is in use: rotate first')
    const changed = file[use].map((one): KeyJwk => (one === key ? { ...one, state: 'retired', since } : one))
    return { file: { ...file, [use]: changed }, use, key }
  }
  return undefined
}

function newestAlg(keys: readonly KeyJwk[]): SigningAlg {
  return (keys.findLast((key) => key.state === 'active')?.alg ?? 'ES256') as SigningAlg
}

function newKey(use: RotatedUse, keys: readonly KeyJwk[], alg: SigningAlg | undefined, runtime: Runtime): KeyJwk {
  const fresh = generateKeyring({ signing: alg === undefined ? [] : [alg], runtime })[use][0]!
  if (use === 'signing') return fresh
  // Of all keys, retired ones too: a number stands in tokens and is never used again.
  const number = Math.max(0, ...keys.map((key) => key.number ?? 0)) + 1
  if (number > MAX_NUMBER) {
    throw new CountersignError('ERR_KEY_UNUSABLE', `"${use}" has used up its numbers: the highest is ${MAX_NUMBER}`)
  }
  return { ...fresh, number }
}
