import { CountersignError, invalidOption } from '../internal/errors.ts'
import { type Runtime, systemRuntime } from '../internal/runtime.ts'
import type { OneTime } from '../one-time/types.ts'
import { checkRoleNames } from '../session/input.ts'
import type { Store } from '../stores/contract.ts'
import { refuseUnknown } from '../strategies/options.ts'
import { type Keyring, keysOf } from '../tokens/keyring.ts'
import type { HasherOptions } from './passwords/hasher.ts'
import { type Argon2Cost, MAX_COST } from './passwords/phc.ts'
import type { PolicyOptions, RefusePassword } from './passwords/policy.ts'
import type { AccountSessions } from './types.ts'

/** What `createAccounts` takes. */
export interface AccountsOptions<R extends string = string> {
  /** The store that the sessions use, or another one: accounts may live elsewhere. */
  store: Pick<Store, 'accounts'> & Partial<Store>
  /** The one that the sessions use. */
  keyring: Keyring
  /** What `createSessions` gave. */
  sessions: AccountSessions
  /** All role names there are: the list that `createSessions` got. Default: any. */
  roles?: readonly R[]
  passwords?: PasswordsOptions
  /** What `createOneTime` gave: adds the verbs of `Recovery`. */
  oneTime?: OneTime
  /** Clock and random source: for tests. */
  runtime?: Runtime
}

/** How passwords are judged and hashed. */
export interface PasswordsOptions {
  /**
   * Fewest characters (Unicode code points) of a new password, 8 to 64. Default 15. NIST SP 800-63B-4 allows 8 only
   * where a second factor is always asked for.
   */
  minLength?: number
  /** Most bytes of a password in UTF-8, 256 to 4096, checked before anything is hashed. Default 1024. */
  maxBytes?: number
  /**
   * Cost of a new hash. Default 19456 KiB, 2 passes, 1 lane. The floor is that of OWASP: 47104 KiB with 1 pass, 19456
   * with 2, 12288 with 3, 9216 with 4 or 7168 with 5; at most 262144 KiB, 64 passes and 16 lanes. A login with a hash
   * that costs less gets a new one.
   */
  argon2?: { memoryKiB?: number; passes?: number; parallelism?: number }
  /**
   * Hashes at once, 1 to 64. Default 2. Each one takes a thread of the platform's pool, which has four unless
   * `UV_THREADPOOL_SIZE` says otherwise and which files and DNS need too.
   */
  concurrency?: number
  /** Calls that may wait for a hash, 0 to 10000; the next one is `ERR_BUSY`. Default 64. */
  queue?: number
  /** Names of the site and the company: 3 to 64 characters each, at most 32. Passwords made of them are refused. */
  words?: readonly string[]
  refuse?: RefusePassword
}

export interface ResolvedOptions {
  readonly runtime: Runtime
  readonly roles: readonly string[] | undefined
  readonly hasher: HasherOptions
  readonly policy: PolicyOptions
}

const OPTIONS = new Set(['store', 'keyring', 'sessions', 'roles', 'passwords', 'oneTime', 'runtime'])
const PASSWORDS = new Set(['minLength', 'maxBytes', 'argon2', 'concurrency', 'queue', 'words', 'refuse'])
const ARGON2 = new Set(['memoryKiB', 'passes', 'parallelism'])

/** Combinations of equal strength (OWASP Password Storage Cheat Sheet): KiB and passes. */
const FLOOR = [
  [47_104, 1],
  [19_456, 2],
  [12_288, 3],
  [9_216, 4],
  [7_168, 5],
] as const

/** Checks the options and fills in the defaults. */
export function resolveOptions(options: AccountsOptions): ResolvedOptions {
  refuseUnknown(options, OPTIONS, 'createAccounts')
  const { store, keyring, sessions, roles, passwords = {}, runtime = systemRuntime } = options
  if (typeof store?.accounts?.create !== 'function') throw invalidOption('store', 'must keep accounts')
  keysOf(keyring)
  for (const verb of ['epoch', 'setRoles', 'revokeAll'] as const) {
    if (typeof sessions?.[verb] !== 'function') throw invalidOption('sessions', `must have the verb ${verb}`)
  }
  if (options.oneTime !== undefined && typeof options.oneTime.redeem !== 'function') {
    throw invalidOption('oneTime', 'must come from createOneTime')
  }
  if (roles !== undefined) checkRoleNames(roles, 'roles')
  refuseUnknown(passwords, PASSWORDS, 'passwords')
  const { words = [], refuse } = passwords
  if (refuse !== undefined && typeof refuse !== 'function')
    throw invalidOption('passwords.refuse', 'must be a function')
  const isWord = (word: unknown) => typeof word === 'string' && word.length >= 3 && word.length <= 64
  if (!Array.isArray(words) || words.length > 32 || !words.every(isWord)) {
    throw invalidOption('passwords.words', 'must be a list of at most 32 texts of 3 to 64 characters')
  }
  return Object.freeze({
    runtime,
    roles: roles && Object.freeze([...roles]),
    hasher: Object.freeze({
      argon2: resolveCost(passwords.argon2 ?? {}),
      concurrency: whole(passwords.concurrency ?? 2, 'passwords.concurrency', 1, 64),
      queue: whole(passwords.queue ?? 64, 'passwords.queue', 0, 10_000),
    }),
    policy: Object.freeze({
      minLength: whole(passwords.minLength ?? 15, 'passwords.minLength', 8, 64),
      // 256 bytes hold 64 characters of whatever script (ASVS 6.2.9).
      maxBytes: whole(passwords.maxBytes ?? 1024, 'passwords.maxBytes', 256, 4096),
      words: Object.freeze([...words]),
      refuse,
    }),
  })
}

function resolveCost(given: NonNullable<PasswordsOptions['argon2']>): Argon2Cost {
  refuseUnknown(given, ARGON2, 'passwords.argon2')
  const memoryKiB = whole(given.memoryKiB ?? 19_456, 'passwords.argon2.memoryKiB', 7_168, MAX_COST.memoryKiB)
  const passes = whole(given.passes ?? 2, 'passwords.argon2.passes', 1, MAX_COST.passes)
  const parallelism = whole(given.parallelism ?? 1, 'passwords.argon2.parallelism', 1, MAX_COST.parallelism)
  if (!FLOOR.some(([least, times]) => memoryKiB >= least && passes >= times)) {
    const rows = FLOOR.map(([least, times]) => `${least} KiB with ${times}`).join(', ')
    throw new CountersignError('ERR_CONFIG_UNSAFE', `"passwords.argon2" is below the floor (passes): ${rows}`)
  }
  return Object.freeze({ memoryKiB, passes, parallelism })
}

function whole(value: unknown, option: string, min: number, max: number): number {
  if (!Number.isInteger(value) || (value as number) < min || (value as number) > max) {
    throw invalidOption(option, `must be a whole number from ${min} to ${max}`)
  }
  return value as number
}
