import { toBase64url } from '../internal/bytes.ts'
import { type Duration, durationMs } from '../internal/duration.ts'
import { invalidInput, invalidOption } from '../internal/errors.ts'
import { type Runtime, systemRuntime } from '../internal/runtime.ts'
import type { Principal } from '../session/types.ts'
import type { Store } from '../stores/contract.ts'
import { refuseUnknown, resolveAlgs } from '../strategies/options.ts'
import { signJws } from '../tokens/jws.ts'
import { type Keyring, keepSigning, keysOf, noSigningKey } from '../tokens/keyring.ts'
import { ACCESS_TOKEN_TYPE } from '../tokens/keys.ts'
import type { PublicAlg } from './service-tokens.ts'

/** What `createSessionAssertions` takes. */
export interface SessionAssertionsOptions {
  keyring: Keyring
  issuer: string
  /** Default `ES256`: whoever checks has the public half. Several: the newest active key of any of them signs. */
  alg?: PublicAlg | readonly PublicAlg[]
  /** 1 s to 60 s. Default `'30s'`. */
  lifetime?: Duration
  /** For its clock. */
  store?: Partial<Store>
  /** Clock and random source: for tests. */
  runtime?: Runtime
}

/** Says of a session that was just verified whose it is, to one other service. */
export interface SessionAssertions {
  /**
   * Signs an access token (RFC 9068) of the session for one audience, which `createVerifier` accepts. It ends with the
   * session at the latest, cannot be exchanged, and is not accepted by `createSessions`. No store is asked.
   *
   * @param session - As `verify` gave it: nothing of it is checked again.
   * @throws CountersignError `ERR_INPUT_INVALID` for a session without id or client, or an empty audience;
   * `ERR_KEY_NOT_FOUND` without an active signing key.
   */
  issue(session: Principal, audience: string): string
}

const OPTIONS = new Set(['keyring', 'issuer', 'alg', 'lifetime', 'store', 'runtime'])

/**
 * Makes assertions, for what asks on behalf of others: a proxy that hands on who somebody is.
 *
 * @throws CountersignError `ERR_CONFIG_INVALID` naming the option; `ERR_KEY_NOT_FOUND` without an active signing key.
 */
export function createSessionAssertions(options: SessionAssertionsOptions): SessionAssertions {
  refuseUnknown(options, OPTIONS, 'createSessionAssertions')
  const { keyring, issuer, store = {}, runtime = systemRuntime } = options
  const algs = resolveAlgs(options.alg ?? 'ES256', 'alg', ['ES256', 'Ed25519'])
  if (typeof issuer !== 'string' || issuer === '') throw invalidOption('issuer', 'must be a non-empty string')
  keepSigning(keyring, { algs, sealed: false })
  const lifeMs = durationMs(options.lifetime ?? '30s', 'lifetime', 1_000, 60_000)
  const nowMs = () => Math.floor(store.lifecycle?.nowMs() ?? runtime.clock.nowMs())

  return Object.freeze({
    issue(session: Principal, audience: string) {
      const { sessionId, clientId, tenant, actor } = session
      if (typeof audience !== 'string' || audience === '') throw invalidInput('audience', 'must be one non-empty text')
      if (!sessionId || !clientId) throw invalidInput('session', 'must have an id and a client')
      const key = keysOf(keyring).signWith(...algs)
      if (!key) throw noSigningKey(algs)
      const iat = Math.floor(nowMs() / 1_000)
      // No `gen`: without it nothing of ours takes it for an access token of the session itself.
      const claims = {
        iss: issuer,
        aud: audience,
        sub: session.subject,
        client_id: clientId,
        iat,
        exp: Math.max(iat + 1, Math.floor(Math.min(iat * 1_000 + lifeMs, session.expiresAtMs) / 1_000)),
        jti: toBase64url(runtime.random(16)),
        sid: sessionId,
        auth_time: Math.floor(session.authTimeMs / 1_000),
        ...(tenant !== undefined && { tenant }),
        ...(actor !== undefined && { act: { sub: actor } }),
        acr: session.acr,
        amr: session.amr,
        roles: session.roles,
      }
      return signJws(claims, ACCESS_TOKEN_TYPE, key)
    },
  })
}
