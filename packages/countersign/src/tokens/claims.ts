import type { SessionId } from '../session/ids.ts'
import type { RefusalReason } from '../session/reasons.ts'
import type { Principal } from '../session/types.ts'
import { parseSessionId } from './session-id.ts'
import type { JsonObject } from './strict-json.ts'

/**
 * What an access token says, checked for shape: the claims that RFC 9068 section 2.2 requires, and those of ours that
 * are there. Names as registered; times in seconds.
 */
export interface TokenClaims {
  readonly iss: string
  readonly aud: readonly string[]
  readonly sub: string
  readonly client_id: string
  readonly iat: number
  readonly exp: number
  readonly jti: string
  readonly nbf?: number
  /** Only when it has the form of ours. */
  readonly sid?: SessionId
  readonly auth_time?: number
  readonly gen?: number
  readonly stamp?: number
  readonly tenant?: string
  readonly act?: { readonly sub: string }
  readonly acr?: string
  readonly amr: readonly string[]
  readonly roles: readonly string[]
}

/** Longest `jti`: denylists keep them. */
const MAX_JTI_CHARACTERS = 128
const NONE: readonly string[] = Object.freeze([])

/**
 * The claims with every member that we rely on checked for its type; `undefined` when one is wrong, missing, or shows
 * that this is another kind of token. Takes the object over: `aud` becomes a list.
 */
export function readClaims(claims: JsonObject): TokenClaims | undefined {
  const { iss, aud, sub, client_id, iat, exp, jti, nbf, sid, auth_time, gen, stamp, tenant, act, acr, amr, roles } =
    claims
  const audience = typeof aud === 'string' ? [aud] : aud
  const ok =
    isText(iss) &&
    isTexts(audience) &&
    audience.length > 0 &&
    isText(sub) &&
    isText(client_id) &&
    isSeconds(iat) &&
    isSeconds(exp) &&
    exp > iat &&
    isText(jti) &&
    jti.length <= MAX_JTI_CHARACTERS &&
    (nbf === undefined || isSeconds(nbf)) &&
    (sid === undefined || isText(sid)) &&
    (auth_time === undefined || isSeconds(auth_time)) &&
    (gen === undefined || (isSeconds(gen) && Number.isInteger(gen))) &&
    (stamp === undefined || isSeconds(stamp)) &&
    (tenant === undefined || isText(tenant)) &&
    (act === undefined || isText((act as JsonObject | null)?.sub)) &&
    (acr === undefined || isText(acr)) &&
    (amr === undefined || isTexts(amr)) &&
    (roles === undefined || isTexts(roles)) &&
    // A security event or logout token (RFC 8417); a token bound to a key whose proof nobody here checks (RFC 7800).
    claims.events === undefined &&
    claims.cnf === undefined
  if (!ok) return undefined
  const read = claims as { -readonly [K in keyof TokenClaims]: TokenClaims[K] | undefined }
  read.aud = audience
  read.amr = amr ?? NONE
  read.roles = roles ?? NONE
  if (sid !== undefined && parseSessionId(sid) === undefined) read.sid = undefined
  return read as TokenClaims
}

/** How strictly the times of a token are taken. Milliseconds. */
export interface TimeRule {
  /** Clock tolerance, both ways. */
  readonly leewayMs: number
  /** How far ahead `iat` may lie. Infinite for our own tokens, whose time is the store's and not the reader's. */
  readonly aheadMs: number
  readonly maxLifetimeMs: number
}

/** The refusal for a token whose time is over or has not come. `exp`: refused on or after; `nbf`: accepted on or after. */
export function judgeTimes(claims: TokenClaims, rule: TimeRule, nowMs: number): RefusalReason | undefined {
  const { exp, iat, nbf } = claims
  if (exp * 1_000 + rule.leewayMs <= nowMs) return 'expired'
  if (nbf !== undefined && nbf * 1_000 - rule.leewayMs > nowMs) return 'not_yet_valid'
  if (iat * 1_000 - rule.aheadMs > nowMs) return 'not_yet_valid'
  return (exp - iat) * 1_000 > rule.maxLifetimeMs ? 'claim_mismatch' : undefined
}

/** What a token alone proves. Without `auth_time` it is never fresh, without `acr` it has no level. Frozen. */
export function principalOf(claims: TokenClaims): Principal {
  const { sid, tenant, act } = claims
  const principal: { -readonly [K in keyof Principal]: Principal[K] } = {
    subject: claims.sub,
    roles: frozen(claims.roles),
    audience: frozen(claims.aud),
    clientId: claims.client_id,
    authTimeMs: (claims.auth_time ?? 0) * 1_000,
    acr: claims.acr ?? '',
    amr: frozen(claims.amr),
    expiresAtMs: claims.exp * 1_000,
  }
  if (sid !== undefined) principal.sessionId = sid
  if (tenant !== undefined) principal.tenant = tenant
  if (act !== undefined) principal.actor = act.sub
  return Object.freeze(principal)
}

function frozen(list: readonly string[]): readonly string[] {
  return list.length === 0 ? NONE : Object.freeze(list)
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0
}
function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText)
}
/** A NumericDate or counter: finite, not negative, exact as a double. May be fractional (RFC 7519 section 2). */
function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER
}
