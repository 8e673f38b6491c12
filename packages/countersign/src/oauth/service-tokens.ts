import { toBase64url } from '../internal/bytes.ts'
import { type Duration, durationMs } from '../internal/duration.ts'
import { invalidInput, invalidOption } from '../internal/errors.ts'
import { type Runtime, systemRuntime } from '../internal/runtime.ts'
import type { Store } from '../stores/contract.ts'
import { refuseUnknown, resolveAlgs } from '../strategies/options.ts'
import { verifyAccessJws } from '../tokens/access-token.ts'
import { judgeTimes, readClaims } from '../tokens/claims.ts'
import { signJws } from '../tokens/jws.ts'
import { type Keyring, keepSigning, keysOf, noSigningKey } from '../tokens/keyring.ts'
import { ACCESS_TOKEN_TYPE } from '../tokens/keys.ts'

/** Algorithms whose keys can be published. */
export type PublicAlg = 'ES256' | 'Ed25519'

/** What `createServiceTokens` takes. */
export interface ServiceTokensOptions {
  keyring: Keyring
  issuer: string
  /** Default `ES256`: whoever checks has the public half. Several: the newest active key of any of them signs. */
  alg?: PublicAlg | readonly PublicAlg[]
  /** 1 s to 5 m. Default `'5m'`. */
  lifetime?: Duration
  /** For `readOnce`, and for its clock. */
  store?: Partial<Store>
  /** Clock and random source: for tests. */
  runtime?: Runtime
}

/** Whom a token is for, and what for. */
export interface IssueServiceToken {
  clientId: string
  /** One: a token for two services could be passed on by one to the other (RFC 8707 section 3). */
  audience: string
  /** Default none. */
  scope?: readonly string[]
}

export interface IssuedServiceToken {
  /** A secret: whoever holds it is the client. */
  readonly token: string
  readonly expiresInSeconds: number
}

/** What a service token says. Times in seconds. */
export interface ServiceTokenClaims {
  readonly iss: string
  /** The client, as is `client_id`. */
  readonly sub: string
  readonly client_id: string
  readonly aud: string
  readonly iat: number
  readonly exp: number
  readonly jti: string
  readonly scope?: string
}

/** Access tokens of programs that call for themselves: RFC 9068, without `sid`, so that none is taken for a person's. */
export interface ServiceTokens {
  /** Signs one. No store is asked. */
  issue(what: IssueServiceToken): IssuedServiceToken
  /** What a token of ours says; `undefined` when it is not a service token, not of ours, or over. No store is asked. */
  read(token: string): ServiceTokenClaims | undefined
  /** The same for the first caller with this token, on any node; `undefined` from then on. At most one round trip. */
  readOnce(token: string): Promise<ServiceTokenClaims | undefined>
}

const OPTIONS = new Set(['keyring', 'issuer', 'alg', 'lifetime', 'store', 'runtime'])
const MAX_LIFE_MS = 300_000
/** RFC 6749 section 3.3. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,64}$/
const OWN_TIMES = { leewayMs: 0, aheadMs: Number.POSITIVE_INFINITY, maxLifetimeMs: MAX_LIFE_MS }

/**
 * Makes and reads service tokens.
 *
 * @throws CountersignError `ERR_CONFIG_INVALID` naming the option; `ERR_KEY_NOT_FOUND` without an active signing key.
 */
export function createServiceTokens(options: ServiceTokensOptions): ServiceTokens {
  refuseUnknown(options, OPTIONS, 'createServiceTokens')
  const { keyring, issuer, store = {}, runtime = systemRuntime } = options
  const algs = resolveAlgs(options.alg ?? 'ES256', 'alg', ['ES256', 'Ed25519'])
  if (typeof issuer !== 'string' || issuer === '') throw invalidOption('issuer', 'must be a non-empty string')
  keepSigning(keyring, { algs, sealed: false })
  const lifeMs = durationMs(options.lifetime ?? '5m', 'lifetime', 1_000, MAX_LIFE_MS)
  const nowMs = () => Math.floor(store.lifecycle?.nowMs() ?? runtime.clock.nowMs())

  const read = (token: string): ServiceTokenClaims | undefined => {
    const jws = verifyAccessJws(token, keysOf(keyring), false)
    if (!jws.ok || jws.claims.sid !== undefined) return undefined
    const { scope } = jws.claims
    const claims = readClaims(jws.claims)
    if (!claims || claims.iss !== issuer || claims.sub !== claims.client_id || claims.aud.length !== 1) return undefined
    if (judgeTimes(claims, OWN_TIMES, nowMs()) !== undefined) return undefined
    const { iss, sub, client_id, aud, iat, exp, jti } = claims
    return { iss, sub, client_id, aud: aud[0]!, iat, exp, jti, ...(typeof scope === 'string' && { scope }) }
  }

  return Object.freeze({
    read,

    issue({ clientId, audience, scope = [] }: IssueServiceToken) {
      if (typeof audience !== 'string' || audience === '') throw invalidInput('audience', 'must be one non-empty text')
      if (!scope.every((name) => SCOPE.test(name))) throw invalidInput('scope', 'holds a name with a wrong character')
      const key = keysOf(keyring).signWith(...algs)
      if (!key) throw noSigningKey(algs)
      const iat = Math.floor(nowMs() / 1_000)
      const exp = iat + Math.floor(lifeMs / 1_000)
      const named = { iss: issuer, sub: clientId, client_id: clientId, aud: audience }
      const jti = toBase64url(runtime.random(16))
      const claims = { ...named, iat, exp, jti, ...(scope.length > 0 && { scope: scope.join(' ') }) }
      return { token: signJws(claims, ACCESS_TOKEN_TYPE, key), expiresInSeconds: exp - iat }
    },

    async readOnce(token: string) {
      if (!store.once) throw invalidOption('store', 'is needed by readOnce')
      const claims = read(token)
      if (!claims) return undefined
      const first = await store.once.claim('service-token', claims.jti, claims.exp * 1_000, nowMs())
      return first ? claims : undefined
    },
  })
}
