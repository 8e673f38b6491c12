import { toBase64url } from '../internal/bytes.ts'
import { type Duration, durationMs } from '../internal/duration.ts'
import { invalidOption } from '../internal/errors.ts'
import { elapsedMs, momentOf, type Runtime, systemRuntime } from '../internal/runtime.ts'
import { checkRoleNames } from '../session/input.ts'
import { type Refused, refuse } from '../session/reasons.ts'
import type { Checked, Principal, Verifier, VerifyOptions } from '../session/types.ts'
import { refuseUnknown } from '../strategies/options.ts'
import { MAX_TOKEN_CHARACTERS, signJws } from '../tokens/jws.ts'
import type { SigningKey } from '../tokens/key-material.ts'
import { type Keyring, keepSigning, keysOf, noSigningKey } from '../tokens/keyring.ts'
import { type JsonObject, parseStrictObject } from '../tokens/strict-json.ts'
import { judgeDemands } from '../verbs/judge.ts'
import { ActiveTokens } from './active-tokens.ts'
import { type GuardedRequest, guardedRequest, unavailable } from './guarded-request.ts'
import { principalOfAnswer } from './introspection.ts'
import { flag, resolveAcrLevels, text } from './trust.ts'

/** Options of {@link createRemoteVerifier}. */
export type RemoteTrust<R extends string = string> = {
  /** The introspection endpoint. Must be `https:`, or loopback. */
  introspection: URL
  /** `iss` of the tokens, and the sole audience of the assertions that say who asks (draft-ietf-oauth-rfc7523bis). */
  issuer: string
  /** This service: one of the token's audiences. */
  audience: string
  /** The name that the endpoint knows this service by. */
  clientId: string
  /** Its newest active `ES256` or `Ed25519` signing key signs the assertions; the endpoint has the public half. */
  key: Keyring
  /**
   * How long an answer that a token is active is used again, `0s` to `5m`: a revocation takes that much longer here.
   * Default `0s`: every check asks.
   */
  maxStale?: Duration
  /** Answers that are kept at most. Default 10 000. */
  maxEntries?: number
  /** How long one request may take, at most `30s`. Default `2s`. */
  deadline?: Duration
  /** Role names that this service knows. Others are left out. Default: all are kept. */
  roles?: readonly R[]
  /** Levels of authentication, weakest first. Default `aal1`, `aal2`, `aal3`. */
  acrLevels?: readonly string[]
  /** The endpoint may lead to a private network (RFC 1918, fc00::/7). Default `false`. */
  privateNetwork?: boolean
  /** Clock, random source and timers: for tests. */
  runtime?: Runtime
}

const SIGNING = ['ES256', 'Ed25519'] as const
const OPTIONS = new Set([
  'introspection',
  'issuer',
  'audience',
  'clientId',
  'key',
  'maxStale',
  'maxEntries',
  'deadline',
  'roles',
  'acrLevels',
  'privateNetwork',
  'runtime',
])
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const ASSERTION_SECONDS = 60
/** What may stand in a token (RFC 6750 section 2.1). Tokens that are exchanged, not used, are never sent anywhere. */
const ACCESS_TOKEN = /^(?!csr_|cs1_)[A-Za-z0-9\-._~+/]+=*$/

/**
 * A verifier that asks the session service about each token (RFC 7662), for services without the store or the keys, in
 * front of any strategy. It says who it is with `private_key_jwt` (RFC 7523): a new assertion for each request, good for
 * 60 s and one use.
 *
 * The endpoint gives no reason for a refusal: an inactive token is `unknown` with the remedy `refresh`. No answer is a
 * fault and never a grant, also when an older answer is at hand that is past `maxStale`.
 *
 * @remarks Cost: one request per check; with `maxStale` one per token in that time, shared by checks that come together.
 * @throws CountersignError `ERR_CONFIG_INVALID`, naming the option; `ERR_KEY_NOT_FOUND` without a key to sign with.
 * `verify`: `ERR_STORE_UNAVAILABLE`, `ERR_STORE_TIMEOUT`.
 */
export function createRemoteVerifier<const R extends string = string>(options: RemoteTrust<R>): Verifier<Principal<R>> {
  refuseUnknown(options, OPTIONS, 'createRemoteVerifier')
  const { introspection, runtime = systemRuntime, roles, maxEntries = 10_000 } = options
  if (!(introspection instanceof URL)) throw invalidOption('introspection', 'must be a URL')
  const issuer = text(options.issuer, 'issuer')
  const audience = text(options.audience, 'audience')
  const clientId = text(options.clientId, 'clientId')
  const { key } = options
  const signer = () => {
    const found = keysOf(key).signWith(...SIGNING)
    if (!found) throw noSigningKey(SIGNING)
    return found
  }
  keepSigning(key, { algs: SIGNING, sealed: false })
  const maxStaleMs = durationMs(options.maxStale ?? '0s', 'maxStale', 0, 300_000)
  if (!Number.isInteger(maxEntries) || maxEntries < 1 || maxEntries > 1_000_000)
    throw invalidOption('maxEntries', 'must be a whole number from 1 to 1000000')
  if (roles !== undefined) checkRoleNames(roles, 'roles')
  const expected = { issuer, audience, roles: roles && new Set<string>(roles) }
  const acr = { acrLevels: resolveAcrLevels(options.acrLevels) }
  const send = guardedRequest(introspection, 'introspection', {
    name: 'introspection',
    deadlineMs: durationMs(options.deadline ?? '2s', 'deadline', 1, 30_000),
    privateNetwork: flag(options.privateNetwork, 'privateNetwork'),
    runtime,
  })
  const { clock } = runtime
  const active = new ActiveTokens(maxStaleMs, maxEntries, clock)

  const ask = async (token: string): Promise<Checked<Principal>> => {
    const askedAt = momentOf(clock)
    const answer = await introspect(send, () => form(token, clientId, assertion(clientId, issuer, signer(), runtime)))
    const checked = principalOfAnswer(answer, expected)
    if (checked.ok) active.keep(token, checked.session, askedAt)
    else active.forget(token)
    return checked
  }
  const asking = new Map<
    string,
    { readonly askedAt: ReturnType<typeof momentOf>; readonly answer: ReturnType<typeof ask> }
  >()
  /** Checks that come together share one request, as long as it was sent no longer ago than an answer may be old. */
  const shared = (token: string): Promise<Checked<Principal>> => {
    const under = asking.get(token)
    if (under && elapsedMs(clock, under.askedAt) < maxStaleMs) return under.answer
    const mine = { askedAt: momentOf(clock), answer: ask(token) }
    if (maxStaleMs > 0) asking.set(token, mine)
    const settled = () => {
      if (asking.get(token) === mine) asking.delete(token)
    }
    mine.answer.then(settled, settled)
    return mine.answer
  }
  const finish = (checked: Checked<Principal>, demands: VerifyOptions): Checked<Principal<any>> =>
    checked.ok ? (judgeDemands(acr, checked.session, demands, clock.nowMs()) ?? checked) : checked

  return Object.freeze({
    verifyNow(token: string, demands: VerifyOptions = {}) {
      const refused = refusedUnasked(token)
      if (refused) return refused
      const session = demands.fresh ? undefined : active.find(token)
      return session && finish({ ok: true, session }, demands)
    },
    async verify(token: string, demands: VerifyOptions = {}) {
      demands.signal?.throwIfAborted()
      const refused = refusedUnasked(token)
      if (refused) return refused
      const session = demands.fresh ? undefined : active.find(token)
      if (session) return finish({ ok: true, session }, demands)
      const answer = demands.fresh ? ask(token) : shared(token)
      return finish(await unlessAborted(answer, demands.signal), demands)
    },
  }) as Verifier<Principal<R>>
}

function refusedUnasked(token: string): Refused | undefined {
  if (typeof token !== 'string' || token === '') return refuse('missing')
  return token.length > MAX_TOKEN_CHARACTERS || !ACCESS_TOKEN.test(token) ? refuse('malformed') : undefined
}

/** Sends one request; anything but a 200 with strict JSON and a clear `active` is no answer. */
async function introspect(send: GuardedRequest, body: () => string): Promise<JsonObject> {
  const answer = await send(() => ({
    method: 'POST',
    headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
    body: body(),
  }))
  if (answer.status !== 200) throw unavailable('introspection', `answered ${answer.status}`)
  const json = /^application\/(?:[\w.-]+\+)?json(?:;|$)/i.test(answer.contentType)
  const value = json ? parseStrictObject(answer.body) : undefined
  if (typeof value?.active !== 'boolean') throw unavailable('introspection', 'did not answer as RFC 7662 says')
  return value
}

function form(token: string, clientId: string, clientAssertion: string): string {
  return new URLSearchParams({
    token,
    token_type_hint: 'access_token',
    client_id: clientId,
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: clientAssertion,
  }).toString()
}

/** RFC 7523 section 3 as its successor has it: the issuer as the sole audience, an explicit type, used once. */
function assertion(clientId: string, issuer: string, key: SigningKey, { clock, random }: Runtime): string {
  const iat = Math.floor(clock.nowMs() / 1_000)
  const claims = {
    iss: clientId,
    sub: clientId,
    aud: issuer,
    iat,
    exp: iat + ASSERTION_SECONDS,
    jti: toBase64url(random(16)),
  }
  return signJws(claims, 'client-authentication+jwt', key)
}

/** Who gives up waiting does not take the answer away from others who share the request. */
function unlessAborted<T>(answer: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return answer
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
