import { type Runtime, systemRuntime } from '../internal/runtime.ts'
import type { Store } from '../stores/contract.ts'
import { refuseUnknown } from '../strategies/options.ts'
import { verifyJws } from '../tokens/jws.ts'
import { foreignKeys } from '../tokens/public-key.ts'
import { type JsonObject, parseStrictObject } from '../tokens/strict-json.ts'
import { type KnownClient, type OAuthClient, readClient } from './client.ts'

/** RFC 7521 section 4.2. */
export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** What `createClientAuthentication` takes. */
export interface ClientAuthenticationOptions<C extends OAuthClient> {
  /** Our own name: the sole audience of an assertion. Never the address of an endpoint (draft-ietf-oauth-rfc7523bis). */
  issuer: string
  clients: readonly C[]
  /** Where the ids of assertions are remembered, so that none is used twice, on any node. */
  store: Pick<Store, 'once'> & Partial<Store>
  /** Clock: for tests. */
  runtime?: Runtime
}

/** The form fields that a client proves itself by (RFC 7521 section 4.2). */
export interface ClientCredentials {
  readonly assertionType: string | undefined
  readonly assertion: string | undefined
  /** Optional; must be the client of the assertion then. */
  readonly clientId: string | undefined
}

/** Why a client was not believed. For the audit; the caller is told `invalid_client` and no more. */
export type ClientRefusalReason =
  | 'missing'
  | 'malformed'
  | 'unknown_client'
  | 'bad_signature'
  | 'claim_mismatch'
  | 'not_yet_valid'
  | 'expired'
  | 'replayed'

/** The answer of `authenticate`. */
export type ClientAuthenticated<C extends OAuthClient> =
  | { readonly ok: true; readonly client: C }
  | { readonly ok: false; readonly reason: ClientRefusalReason; readonly clientId?: string }

/** Recognises clients by `private_key_jwt`. */
export interface ClientAuthentication<C extends OAuthClient> {
  /**
   * Checks an assertion and uses it up. At most one round trip, and only after its signature and claims were found right.
   *
   * @throws CountersignError `ERR_STORE_…` when nobody can say whether it was used before.
   */
  authenticate(credentials: ClientCredentials): Promise<ClientAuthenticated<C>>
  /** The client with this id. */
  find(id: string): C | undefined
}

const OPTIONS = new Set(['issuer', 'clients', 'store', 'runtime'])
/** Longest time that an assertion may be good for, from now (RFC 7523 section 3: not "unreasonably far in the future"). */
const MAX_LIFE_MS = 300_000
/** Their clock is not ours. */
const LEEWAY_MS = 5_000
const MAX_JTI = 128
/**
 * A type of its own keeps an assertion from being taken for another JWT. Clients of today send `JWT` or none: those are
 * told apart by issuer, subject, audience and key. Any other type is another kind of token, and refused.
 */
const TYPES: readonly unknown[] = [
  undefined,
  'jwt',
  'client-authentication+jwt',
  'application/client-authentication+jwt',
]

/**
 * Makes the check of clients (RFC 7523 section 3, with the audience of its successor).
 *
 * @throws CountersignError `ERR_CONFIG_INVALID`, `ERR_KEY_UNUSABLE`.
 */
export function createClientAuthentication<C extends OAuthClient>(
  options: ClientAuthenticationOptions<C>,
): ClientAuthentication<C> {
  refuseUnknown(options, OPTIONS, 'createClientAuthentication')
  const { issuer, clients, store, runtime = systemRuntime } = options
  const known = new Map(clients.map((client) => [client.id, { client, keys: foreignKeys(readClient(client).keys) }]))
  const nowMs = () => Math.floor(store.lifecycle?.nowMs() ?? runtime.clock.nowMs())
  const refused = (reason: ClientRefusalReason, clientId?: string) =>
    Object.freeze({ ok: false as const, reason, ...(clientId !== undefined && { clientId }) })

  return Object.freeze({
    find: (id: string) => known.get(id)?.client,

    async authenticate({ assertionType, assertion, clientId }: ClientCredentials): Promise<ClientAuthenticated<C>> {
      if (assertionType !== ASSERTION_TYPE || assertion === undefined || assertion === '') return refused('missing')
      const claimed = clientId ?? unverifiedSubject(assertion)
      const entry = claimed === undefined ? undefined : known.get(claimed)
      if (!entry) return refused(claimed === undefined ? 'malformed' : 'unknown_client')
      const { client } = entry
      const jws = verifyJws(assertion, { typ: null, kid: 'optional' }, entry.keys)
      if (!jws.ok) return refused(jws.reason, client.id)
      const { typ } = jws.header
      if (!TYPES.includes(typeof typ === 'string' ? typ.toLowerCase() : typ))
        return refused('claim_mismatch', client.id)
      const at = nowMs()
      const reason = judge(jws.claims, client.id, issuer, at)
      if (reason) return refused(reason, client.id)
      const { jti, exp } = jws.claims as { jti: string; exp: number }
      const untilMs = Math.ceil(exp * 1_000) + LEEWAY_MS
      // Last, so that nobody can use up the id of an assertion that is not theirs.
      if (!(await store.once.claim(`assertion:${client.id}`, jti, untilMs, at))) return refused('replayed', client.id)
      return { ok: true, client }
    },
  })
}

function judge(
  claims: JsonObject,
  id: KnownClient['id'],
  issuer: string,
  nowMs: number,
): ClientRefusalReason | undefined {
  const { iss, sub, aud, exp, nbf, iat, jti } = claims
  if (iss !== id || sub !== id || aud !== issuer) return 'claim_mismatch'
  if (typeof jti !== 'string' || jti === '' || jti.length > MAX_JTI || /\p{Surrogate}/u.test(jti))
    return 'claim_mismatch'
  const times = [exp, nbf ?? 0, iat ?? 0]
  if (!times.every((time) => typeof time === 'number' && time >= 0 && time <= MAX_SECONDS)) return 'claim_mismatch'
  const [expMs = 0, nbfMs = 0, iatMs = 0] = (times as number[]).map((time) => time * 1_000)
  if (expMs + LEEWAY_MS <= nowMs) return 'expired'
  if (nbfMs - LEEWAY_MS > nowMs || iatMs - LEEWAY_MS > nowMs) return 'not_yet_valid'
  const tooLong = expMs > nowMs + MAX_LIFE_MS + LEEWAY_MS || (iat !== undefined && expMs - iatMs > MAX_LIFE_MS)
  return tooLong ? 'claim_mismatch' : undefined
}
/** Year 9999: milliseconds of it are exact. */
const MAX_SECONDS = 253_402_300_799

/** Who an assertion says it is of, for finding the keys that can prove it. Nothing else is believed of it. */
function unverifiedSubject(assertion: string): string | undefined {
  const [, payload, signature] = assertion.length <= 8_192 ? assertion.split('.') : []
  if (payload === undefined || signature === undefined) return undefined
  const sub = parseStrictObject(Buffer.from(payload, 'base64url'))?.sub
  return typeof sub === 'string' ? sub : undefined
}
