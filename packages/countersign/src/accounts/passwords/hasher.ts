import { CountersignError } from '../../internal/errors.ts'
import type { Runtime } from '../../internal/runtime.ts'
import { ARGON2ID, type Argon2, loadArgon2 } from './argon2.ts'
import { type Argon2Cost, formatPhc, HASH_BYTES, isWeaker, parsePhc, SALT_BYTES } from './phc.ts'
import { createSlots } from './slots.ts'

/** Hashes and verifies passwords with argon2id, a bounded number at once. */
export interface Hasher {
  /** Loads the library. Every use does it when needed. */
  ready(): Promise<void>
  /**
   * Takes one slot for all the work of one call, so that a call that has verified is never turned away before it
   * hashes.
   *
   * @throws CountersignError `ERR_BUSY` before any work when the queue is full; `ERR_STORE_CORRUPT` for a stored hash
   * that is none.
   */
  use<T>(work: (passwords: PasswordWork) => Promise<T>, signal: AbortSignal | undefined): Promise<T>
}

export interface PasswordWork {
  /** The PHC string of a new hash, with a fresh salt. */
  hash(password: string): Promise<string>
  /**
   * Whether the password is the one of the stored hash. `null`, for no account, takes as long as a new hash and is
   * never right.
   */
  verify(stored: string | null, password: string): Promise<boolean>
  /** Whether a stored hash that was just verified costs an attacker less than a new one would. */
  isWeak(stored: string): boolean
}

export interface HasherOptions {
  readonly argon2: Argon2Cost
  readonly concurrency: number
  readonly queue: number
}

export function createHasher(options: HasherOptions, random: Runtime['random']): Hasher {
  const { argon2: cost } = options
  const slots = createSlots(options.concurrency, options.queue)
  const nobody = formatPhc(cost, random(SALT_BYTES), random(HASH_BYTES))
  let library: Promise<Argon2> | undefined
  const load = () => {
    library ??= loadArgon2()
    return library
  }

  return {
    async ready() {
      await load()
    },
    use: (work, signal) =>
      slots.run(async () => {
        const argon2 = await load()
        return work({
          hash: (password) =>
            argon2.hash(bytesOf(password), {
              algorithm: ARGON2ID,
              memoryCost: cost.memoryKiB,
              timeCost: cost.passes,
              parallelism: cost.parallelism,
              outputLen: HASH_BYTES,
              salt: random(SALT_BYTES),
            }),
          async verify(stored, password) {
            if (stored !== null && !parsePhc(stored)) throw corrupt()
            const right = await argon2.verify(stored ?? nobody, bytesOf(password)).catch(() => {
              // Its message may be anything; the only input that is not ours is the stored string.
              throw corrupt()
            })
            return right === true && stored !== null
          },
          isWeak: (stored) => {
            const phc = parsePhc(stored)
            return phc !== undefined && isWeaker(phc, cost)
          },
        })
      }, signal),
  }
}

/**
 * The very bytes that were received: no trimming, folding or normalising (ASVS 6.2.8), and a NUL is a byte like others.
 */
function bytesOf(password: string): Uint8Array {
  return Buffer.from(password, 'utf8')
}

function corrupt(): CountersignError {
  return new CountersignError('ERR_STORE_CORRUPT', 'the password hash of an account is no PHC string of argon2id')
}
