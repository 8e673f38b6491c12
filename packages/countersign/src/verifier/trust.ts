import { type Duration, durationMs } from '../internal/duration.ts'
import { invalidOption } from '../internal/errors.ts'
import { type Runtime, systemRuntime } from '../internal/runtime.ts'
import { checkRoleNames } from '../session/input.ts'
import { MAX_LEEWAY_MS } from '../session/record.ts'
import { refuseUnknown } from '../strategies/options.ts'
import type { TimeRule } from '../tokens/claims.ts'
import { MAX_TOKEN_CHARACTERS } from '../tokens/jws.ts'
import type { Keyring } from '../tokens/keyring.ts'
import type { VerifyingAlg } from '../tokens/signatures.ts'

/** Whose tokens are accepted, and which of them. */
export type Trust<R extends string = string> = {
  /** `iss`, compared character by character. */
  issuer: string
  /** This service: one of the token's audiences. */
  audience: string
  /**
   * The issuer's keys: a keyring shared with it, or the address of its JWK Set. The address must be `https:`, or
   * loopback; it is asked by the package `jose`, which the application installs. The set is kept for 10 minutes, renewed
   * in the background from the fifth on, and asked for again at most every 30 s for a `kid` that it does not have.
   */
  keys: Keyring | URL
  /**
   * Algorithms accepted from the issuer. Default: with a keyring, those of its keys; with an address, `ES256` and
   * `Ed25519`. `RS256` has to be named, and only goes with an address. An empty list is refused.
   */
  algorithms?: readonly VerifyingAlg[]
  /** Role names that this service knows. Others in a token are left out. Default: all are kept. */
  roles?: readonly R[]
  /** Clock tolerance, 0 to 300 s. Default `5s`. A revoked token can be accepted for that much longer without `records`. */
  leeway?: Duration
  /** Longest `exp` − `iat` of a token that is accepted. Default `1d`. */
  maxLifetime?: Duration
  /** Longest token that is looked at. 256 to 65 536. Default 8 192. */
  maxTokenBytes?: number
  /** Accept only tokens that are encrypted with a `sealing` key of the keyring; see `sealed` of the strategies. Default `false`. */
  sealed?: boolean
  /** Levels of authentication, weakest first. Default `aal1`, `aal2`, `aal3`. */
  acrLevels?: readonly string[]
  /** The address of the keys may lead to a private network (RFC 1918, fc00::/7). Default `false`. */
  privateNetwork?: boolean
  /** Clock, random source and timers: for tests. */
  runtime?: Runtime
}

/** A {@link Trust} with every value checked and filled in. */
export interface ResolvedTrust {
  readonly issuer: string
  readonly audience: string
  readonly algorithms: readonly VerifyingAlg[] | undefined
  readonly roles: ReadonlySet<string> | undefined
  readonly times: TimeRule
  readonly maxCharacters: number
  readonly sealed: boolean
  readonly acrLevels: readonly string[]
  readonly privateNetwork: boolean
  readonly runtime: Runtime
}

const OPTIONS = new Set([
  'issuer',
  'audience',
  'keys',
  'algorithms',
  'roles',
  'leeway',
  'maxLifetime',
  'maxTokenBytes',
  'sealed',
  'acrLevels',
  'privateNetwork',
  'runtime',
  'records',
  'data',
  'dataVersion',
])
const ALGS: readonly VerifyingAlg[] = ['HS256', 'ES256', 'Ed25519', 'RS256']

/** @throws CountersignError `ERR_CONFIG_INVALID` naming the option. */
export function resolveTrust(trust: Trust<string>): ResolvedTrust {
  refuseUnknown(trust, OPTIONS, 'createVerifier')
  const { keys, algorithms, roles, maxTokenBytes = MAX_TOKEN_CHARACTERS, sealed = false } = trust
  const remote = keys instanceof URL
  if (algorithms !== undefined) {
    if (!Array.isArray(algorithms) || algorithms.length === 0 || !algorithms.every((alg) => ALGS.includes(alg)))
      throw invalidOption('algorithms', 'must be a list of HS256, ES256, Ed25519 or RS256')
    // A secret in a published set is no secret, and a public key in a keyring signs nothing of ours.
    const foreign = remote ? 'HS256' : 'RS256'
    if (algorithms.includes(foreign))
      throw invalidOption('algorithms', `must not hold ${foreign} when "keys" is ${remote ? 'a URL' : 'a keyring'}`)
  }
  if (roles !== undefined) checkRoleNames(roles, 'roles')
  if (!Number.isInteger(maxTokenBytes) || maxTokenBytes < 256 || maxTokenBytes > 65_536)
    throw invalidOption('maxTokenBytes', 'must be a whole number from 256 to 65536')
  if (typeof sealed !== 'boolean') throw invalidOption('sealed', 'must be true or false')
  if (sealed && remote) throw invalidOption('sealed', 'needs "keys" to be a keyring with a sealing key')
  const leewayMs = durationMs(trust.leeway ?? '5s', 'leeway', 0, MAX_LEEWAY_MS)
  return Object.freeze({
    issuer: text(trust.issuer, 'issuer'),
    audience: text(trust.audience, 'audience'),
    algorithms: algorithms ?? (remote ? ['ES256', 'Ed25519'] : undefined),
    roles: roles && new Set(roles),
    times: { leewayMs, aheadMs: leewayMs, maxLifetimeMs: durationMs(trust.maxLifetime ?? '1d', 'maxLifetime', 1_000) },
    maxCharacters: maxTokenBytes,
    sealed,
    acrLevels: resolveAcrLevels(trust.acrLevels),
    privateNetwork: flag(trust.privateNetwork, 'privateNetwork'),
    runtime: trust.runtime ?? systemRuntime,
  })
}

export function resolveAcrLevels(acrLevels: readonly string[] = ['aal1', 'aal2', 'aal3']): readonly string[] {
  if (!Array.isArray(acrLevels) || acrLevels.length === 0 || new Set(acrLevels).size !== acrLevels.length)
    throw invalidOption('acrLevels', 'must be a list of different names, weakest first')
  return Object.freeze([...acrLevels])
}

export function text(value: unknown, option: string): string {
  if (typeof value !== 'string' || value === '') throw invalidOption(option, 'must be a non-empty string')
  return value
}

export function flag(value: unknown, option: string): boolean {
  if (value !== undefined && typeof value !== 'boolean') throw invalidOption(option, 'must be true or false')
  return value === true
}
