import { CountersignError } from '../../internal/errors.ts'

/** What is used of `@node-rs/argon2`. Declared here, because a user's compiler may not find an optional package. */
export interface Argon2 {
  hash(password: Uint8Array, options: Argon2Options): Promise<string>
  verify(phc: string, password: Uint8Array): Promise<boolean>
}

export interface Argon2Options {
  readonly algorithm: typeof ARGON2ID
  /** KiB. */
  readonly memoryCost: number
  readonly timeCost: number
  readonly parallelism: number
  readonly outputLen: number
  readonly salt: Uint8Array
}

/** `Algorithm.Argon2id`: a `const enum` of the package, which has no value at run time. */
export const ARGON2ID = 2

/**
 * Loads the optional peer, which only this folder needs.
 *
 * @throws CountersignError `ERR_CONFIG_INVALID` saying what to install.
 */
export async function loadArgon2(): Promise<Argon2> {
  try {
    const loaded = (await import('@node-rs/argon2')) as { default?: unknown }
    // CommonJS: the functions are looked up on the module itself, as `require` would.
    return (loaded.default ?? loaded) as Argon2
  } catch (cause) {
    throw new CountersignError(
      'ERR_CONFIG_INVALID',
      'passwords need the package "@node-rs/argon2", which cannot be loaded: npm install @node-rs/argon2',
      { cause },
    )
  }
}
