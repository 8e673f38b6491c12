import { toBase64url } from '../internal/bytes.ts'
import type { AccessToken, SessionId } from '../session/ids.ts'
import type { RefusalReason } from '../session/reasons.ts'
import type { SessionRecord } from '../session/record.ts'
import { judgeTimes, readClaims, type TimeRule, type TokenClaims } from './claims.ts'
import { type JwsResult, signJws, verifyJws } from './jws.ts'
import type { SigningKey } from './key-material.ts'
import { ACCESS_TOKEN_TYPE, type Keys } from './keys.ts'
import { unseal } from './sealing.ts'

/** What our own access tokens say: more than others have to. */
export interface AccessClaims extends TokenClaims {
  readonly sid: SessionId
  readonly auth_time: number
  readonly gen: number
  readonly acr: string
}

export interface AccessTokenRule {
  readonly issuer: string
  /** `jti` bytes come from here. */
  readonly random: (bytes: number) => Uint8Array
  readonly accessMs: number
  /** Roles stand in the token only where no record is read. */
  readonly withRoles: boolean
}

/** Signs the access token of a record. `exp` counts from `stamp`, the time of the step that authorised it, not from now. */
export function signAccessToken(
  record: SessionRecord,
  stamp: number,
  audience: readonly string[],
  rule: AccessTokenRule,
  key: SigningKey,
): AccessToken {
  const claims = {
    iss: rule.issuer,
    aud: audience.length === 1 ? audience[0] : audience,
    sub: record.subject,
    client_id: record.clientId,
    iat: Math.floor(stamp / 1_000),
    exp: Math.floor(Math.min(stamp + rule.accessMs, record.absoluteAtMs) / 1_000),
    jti: toBase64url(rule.random(16)),
    sid: record.id,
    auth_time: Math.floor(record.authTimeMs / 1_000),
    gen: record.generation,
    ...(record.stamped && { stamp }),
    ...(record.tenant !== undefined && { tenant: record.tenant }),
    acr: record.acr,
    amr: record.amr,
    ...(rule.withRoles && { roles: record.roles }),
  }
  return signJws(claims, ACCESS_TOKEN_TYPE, key) as AccessToken
}

/** Same clock, and our own limits: nothing to tolerate. */
const OWN_TIMES: TimeRule = {
  leewayMs: 0,
  aheadMs: Number.POSITIVE_INFINITY,
  maxLifetimeMs: Number.POSITIVE_INFINITY,
}

/**
 * Checks structure, signature and claims of one of our own access tokens, in this order. Leeway is zero: same clock.
 *
 * @param sealed - Only sealed tokens are accepted then, and otherwise only signed ones: never both.
 */
export function readAccessToken(
  token: string,
  keys: Keys,
  issuer: string,
  nowMs: number,
  sealed: boolean,
): { readonly ok: true; readonly claims: AccessClaims } | { readonly ok: false; readonly reason: RefusalReason } {
  const jws = verifyAccessJws(token, keys, sealed)
  if (!jws.ok) return jws
  const claims = readClaims(jws.claims)
  if (!claims || !isOwn(claims) || claims.iss !== issuer) return { ok: false, reason: 'claim_mismatch' }
  const reason = judgeTimes(claims, OWN_TIMES, nowMs)
  return reason === undefined ? { ok: true, claims } : { ok: false, reason }
}

/** Verifies an access token made with one of our own keys, opening it first where it has to be sealed. */
export function verifyAccessJws(token: string, keys: Keys, sealed: boolean, maxCharacters?: number): JwsResult {
  if (!sealed) return verifyJws(token, keys.accessRule, keys.find, maxCharacters)
  const opened = unseal(token, keys, maxCharacters)
  return opened.ok ? verifyJws(opened.jws, keys.accessRule, keys.find, maxCharacters) : opened
}

export function isOwn(claims: TokenClaims): claims is AccessClaims {
  const { sid, auth_time, gen, acr } = claims
  return sid !== undefined && auth_time !== undefined && gen !== undefined && acr !== undefined
}
