import type { Duration } from '../internal/duration.ts'
import type { Store } from '../stores/contract.ts'
import type { SigningAlg } from '../tokens/key-material.ts'

/**
 * How the credential of a session is issued and what is read per request: a value that carries its own options.
 *
 * `Reads`: what a check sees, the record or the token alone. `Renews`: whether there is a refresh token. `Needs`: which
 * parts of a store it cannot do without.
 */
export interface Strategy<Reads extends 'record' | 'token', Renews extends boolean, Needs extends keyof Store> {
  readonly name: 'opaque' | 'stateless' | 'denylist' | 'allowlist'
  readonly reads: Reads
  readonly renews: Renews
  readonly needs: readonly Needs[]
  readonly options: ResolvedStrategyOptions
}

/** Options of the three strategies whose access token is a signed JWT. */
export type Jwt<F extends boolean> = {
  /** `iss` of every token, compared character by character. */
  issuer: string
  /** `aud` of every token that does not ask for less. At least one. */
  audience: string | readonly string[]
  /**
   * What signs. Default `HS256`; `ES256` or `Ed25519` where others verify by JWK Set. Several: the newest active key for any
   * of them, so that the keyring alone decides when to change. Tokens of every key that is not retired are accepted.
   */
  alg?: SigningAlg | readonly SigningAlg[]
  /** `client_id` (RFC 9068 demands it). Default `web`. */
  clientId?: string
  /** Default `10m`. More than 15 minutes is refused for `stateless` without `longAccessLifetimeBecause`. */
  accessLifetime?: Duration
  /** The justification for a longer one: in `stateless` it is also how long a logout takes. */
  longAccessLifetimeBecause?: string
  /** Adds a rotating refresh token. Default `true`. */
  refresh?: F
  /** From its making; rotation gives a new one, `timeouts.absolute` ends them all. Default `7d`. */
  refreshLifetime?: Duration
  /** How long a token that was rotated away still yields its successor after that was used. Default `10s`, at most `60s`. */
  grace?: Duration
  /** `strict` turns repeating off, to the letter of ASVS 10.4.5: a lost answer or a second tab then ends the session. */
  reuse?: 'replay' | 'strict'
  /**
   * Encrypts the signed token (JWE, `dir` with A256GCM), so that whoever holds it reads nothing in it. Needs a `sealing`
   * key. Tokens that are only signed are refused then. Default `false`.
   */
  sealed?: boolean
}

/** What the verbs work with. Every time in milliseconds; 0 where it does not apply. */
export interface ResolvedStrategyOptions {
  readonly issuer: string
  readonly audience: readonly string[]
  /** None for `opaque`. */
  readonly algs: readonly SigningAlg[]
  readonly clientId: string
  readonly sealed: boolean
  readonly accessMs: number
  readonly refreshMs: number
  readonly graceMs: number
  readonly replay: 'until_seen' | 'never'
}
