import { CountersignError, invalidOption } from '../internal/errors.ts'
import { createDataCodec, DEFAULT_MAX_DATA_BYTES } from '../session/data.ts'
import { writtenWindowMs } from '../session/lifetimes.ts'
import { type Refused, refuse } from '../session/reasons.ts'
import type { StandardSchema } from '../session/schema.ts'
import type { Checked, Principal, Session, Verifier, VerifyOptions } from '../session/types.ts'
import type { SessionStore, Store } from '../stores/contract.ts'
import { type AccessClaims, isOwn, verifyAccessJws } from '../tokens/access-token.ts'
import { judgeTimes, principalOf, readClaims, type TokenClaims } from '../tokens/claims.ts'
import { type ForeignKeyLookup, type JwsResult, verifyJws } from '../tokens/jws.ts'
import { type Keyring, keysOf } from '../tokens/keyring.ts'
import { ACCESS_TOKEN_TYPE } from '../tokens/keys.ts'
import { createBackground } from '../verbs/background.ts'
import { checkByRecord, type RecordSide } from '../verbs/check-record.ts'
import { watchFloor } from '../verbs/floor-watch.ts'
import { judgeDemands } from '../verbs/judge.ts'
import { type RemoteKeys, remoteKeys } from './jwks.ts'
import { type ResolvedTrust, resolveTrust, type Trust } from './trust.ts'

/** As `createSessions` has them. */
type DataOptions = { data?: StandardSchema<any, any>; dataVersion?: number }

/** Where the records are: a store that is ready, or one with its `lifecycle`, which the first check makes ready. */
export type VerifierRecords = SessionStore | (Pick<Store, 'sessions'> & Partial<Store>)

/**
 * A verifier for a service that only checks access tokens (RFC 9068), of ours or of another issuer. Strict: see
 * `docs/verification.md` for what is refused and why.
 *
 * Without `records` it proves the signature and the claims only: **a revoked token is accepted until it expires.** A token
 * without `sid` yields no session id, one without `auth_time` is never fresh enough for `maxAge`, one without `acr`
 * reaches no level.
 *
 * With `records` it also reads the session's record, by the rules of `allowlist`: a revocation takes effect at once, roles
 * and data come from the record, and using it keeps the session from becoming idle.
 *
 * @remarks Cost: no I/O with a keyring; with an address one request per 5 minutes; with `records` one store read per
 * check, and at most one background write per tenth of the idle timeout and one per rotation.
 * @throws CountersignError `ERR_CONFIG_INVALID`, naming the option. `verify`: `ERR_STORE_UNAVAILABLE` or
 * `ERR_STORE_TIMEOUT` when the store or the address of the keys gave no answer, `ERR_KEY_UNUSABLE` when the set that it
 * gave must not be used.
 */
export function createVerifier<const R extends string = string>(
  options: Trust<R> & { records?: undefined },
): Verifier<Principal<R>>
export function createVerifier<I, D = I, const R extends string = string>(
  options: Trust<R> & { records: VerifierRecords; data?: StandardSchema<I, D>; dataVersion?: number },
): Verifier<Session<D, R>>
export function createVerifier(
  options: Trust & { records?: VerifierRecords | undefined } & DataOptions,
): Verifier<any> {
  const trust = resolveTrust(options)
  const signatures = options.keys instanceof URL ? bySet(options.keys, trust) : byKeyring(options.keys, trust)
  const { records } = options
  if (records === undefined) {
    for (const option of ['data', 'dataVersion'] as const)
      if (options[option] !== undefined) throw invalidOption(option, 'needs "records"')
    return bySignature(signatures, trust)
  }
  return byRecord(signatures, trust, recordSide(records, options, trust))
}

/** The step that needs keys. `undefined` = they have to be asked for. */
interface Signatures {
  now(token: string): JwsResult | undefined
  ask(token: string): Promise<JwsResult>
}

function byKeyring(keyring: Keyring, trust: ResolvedTrust): Signatures {
  const keys = keysOf(keyring)
  const { algorithms, sealed, maxCharacters } = trust
  if (sealed && keys.sealing.size === 0)
    throw new CountersignError('ERR_KEY_NOT_FOUND', 'the keyring has no usable sealing key')
  if (![...keys.signing.values()].some((key) => algorithms?.includes(key.alg) ?? true))
    throw new CountersignError('ERR_KEY_NOT_FOUND', 'the keyring has no usable signing key for "algorithms"')
  const now = (token: string): JwsResult => {
    const jws = verifyAccessJws(token, keysOf(keyring), sealed, maxCharacters)
    return jws.ok && algorithms && !algorithms.includes(jws.key.alg) ? { ok: false, reason: 'bad_signature' } : jws
  }
  return { now, ask: async (token) => now(token) }
}

function bySet(url: URL, trust: ResolvedTrust): Signatures {
  const keys: RemoteKeys = remoteKeys(url, trust.algorithms!, trust)
  const rule = { typ: ACCESS_TOKEN_TYPE, kid: 'optional' } as const
  /** `missed`: the signature was not looked at, because no key fits. */
  const check = (token: string, find: ForeignKeyLookup): { readonly jws: JwsResult; readonly missed: boolean } => {
    let missed = false
    const noting: ForeignKeyLookup = (kid, alg) => {
      const key = find(kid, alg)
      missed = key === undefined
      return key
    }
    const jws = verifyJws(token, rule, noting, trust.maxCharacters)
    return { jws, missed }
  }
  return {
    now(token) {
      const find = keys.now()
      if (!find) return undefined
      const { jws, missed } = check(token, find)
      return missed && keys.mayHaveMore() ? undefined : jws
    },
    async ask(token) {
      const { jws, missed } = check(token, await keys.fresh())
      return missed && keys.mayHaveMore() ? check(token, await keys.more()).jws : jws
    },
  }
}

function bySignature(signatures: Signatures, trust: ResolvedTrust): Verifier<Principal<any>> {
  const finish = (jws: JwsResult, demands: VerifyOptions): Checked<Principal<any>> => {
    const nowMs = trust.runtime.clock.nowMs()
    const claims = judgeClaims(jws, trust, nowMs)
    if ('ok' in claims) return claims
    const principal = principalOf(claims)
    return judgeDemands(trust, principal, demands, nowMs) ?? { ok: true, session: principal }
  }
  return Object.freeze({
    verifyNow(token: string, demands: VerifyOptions = NO_DEMANDS) {
      if (isMissing(token)) return refuse('missing')
      const jws = signatures.now(token)
      return jws && finish(jws, demands)
    },
    async verify(token: string, demands: VerifyOptions = NO_DEMANDS) {
      demands.signal?.throwIfAborted()
      if (isMissing(token)) return refuse('missing')
      return finish(await signatures.ask(token), demands)
    },
  })
}

function byRecord(
  signatures: Signatures,
  trust: ResolvedTrust,
  { side, ready }: { side: RecordSide; ready: () => Promise<void> },
): Verifier<Session<any, any>> {
  return Object.freeze({
    // The record is always asked. A check of the signature here would only have to be made again.
    verifyNow: (token: string) => (isMissing(token) ? refuse('missing') : undefined),
    async verify(token: string, demands: VerifyOptions = NO_DEMANDS) {
      demands.signal?.throwIfAborted()
      if (isMissing(token)) return refuse('missing')
      const claims = judgeClaims(await signatures.ask(token), trust, trust.runtime.clock.nowMs())
      if ('ok' in claims) return claims
      if (!isOwn(claims)) return refuse('claim_mismatch')
      await ready()
      return checkByRecord(side, claims satisfies AccessClaims, demands)
    },
  })
}

/** The claims of a token that is meant for us and in its time, or the refusal. */
function judgeClaims(jws: JwsResult, trust: ResolvedTrust, nowMs: number): TokenClaims | Refused {
  if (!jws.ok) return refuse(jws.reason)
  const claims = readClaims(jws.claims)
  if (!claims || claims.iss !== trust.issuer || !claims.aud.includes(trust.audience)) return refuse('claim_mismatch')
  const reason = judgeTimes(claims, trust.times, nowMs)
  if (reason !== undefined) return refuse(reason)
  const { roles } = trust
  return roles ? { ...claims, roles: claims.roles.filter((role) => roles.has(role)) } : claims
}

function recordSide(
  records: VerifierRecords,
  options: Trust & DataOptions,
  trust: ResolvedTrust,
): { side: RecordSide; ready: () => Promise<void> } {
  const { sessions, lifecycle = undefined } = 'sessions' in records ? records : { sessions: records }
  if (typeof sessions?.read !== 'function') throw invalidOption('records', 'must be a store, or its sessions')
  if (lifecycle && options.keys instanceof URL) {
    throw invalidOption('records', 'must be the sessions of a store that is ready, because "keys" is no keyring')
  }
  const { clock } = trust.runtime
  const fingerprint = options.keys instanceof URL ? '' : keysOf(options.keys).placementFingerprint
  const side: RecordSide = Object.freeze({
    sessions,
    floor: watchFloor({ floor: () => sessions.floor() }, clock),
    data: createDataCodec(options.data, DEFAULT_MAX_DATA_BYTES, options.dataVersion),
    acrLevels: trust.acrLevels,
    // A touch that fails has no one to tell here; the next check that finds the store down is a fault of its own.
    background: createBackground(() => undefined),
    nowMs: () => lifecycle?.nowMs() ?? clock.nowMs(),
    windowOf: writtenWindowMs,
    renews: true,
  })
  let readying: Promise<void> | undefined
  const ready = async () => {
    if (!lifecycle) return
    readying ??= lifecycle.ready(fingerprint)
    try {
      await readying
    } catch (error) {
      readying = undefined
      throw error
    }
  }
  return { side, ready }
}

function isMissing(token: string): boolean {
  return typeof token !== 'string' || token === ''
}

const NO_DEMANDS: VerifyOptions = Object.freeze({})
