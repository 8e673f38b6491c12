import { toBase64url } from '../internal/bytes.ts'
import type { AccessToken, SessionId } from '../session/ids.ts'
import type { RefusalReason } from '../session/reasons.ts'
import type { SessionRecord } from '../session/record.ts'
import { signJws, verifyJws } from './jws.ts'
import type { SigningKey } from './key-material.ts'
import type { Keys } from './keyring.ts'
import { parseSessionId } from './session-id.ts'
import type { JsonObject } from './strict-json.ts'

/** RFC 9068 section 2.1. */
export const ACCESS_TOKEN_TYPE = 'at+jwt'

/** What our own access tokens say, checked for shape. Names as registered; times in seconds. */
export interface AccessClaims {
  readonly iss: string
  readonly aud: readonly string[]
  readonly sub: string
  readonly client_id: string
  readonly iat: number
  readonly exp: number
  readonly jti: string
  readonly sid: SessionId
  readonly auth_time: number
  readonly gen: number
  readonly stamp?: number
  readonly tenant?: string
  readonly acr: string
  readonly amr: readonly string[]
  readonly roles: readonly string[]
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

/** Checks structure, signature and claims of one of our own access tokens, in this order. Leeway is zero: same clock. */
export function readAccessToken(
  token: string,
  keys: Keys,
  issuer: string,
  nowMs: number,
): { readonly ok: true; readonly claims: AccessClaims } | { readonly ok: false; readonly reason: RefusalReason } {
  const jws = verifyJws(token, ACCESS_TOKEN_TYPE, (kid, alg) => {
    const key = keys.signing.get(kid)
    return key?.alg === alg ? key : undefined
  })
  if (!jws.ok) return jws
  const claims = accessClaims(jws.claims)
  if (!claims || claims.iss !== issuer) return { ok: false, reason: 'claim_mismatch' }
  if (claims.exp * 1_000 <= nowMs) return { ok: false, reason: 'expired' }
  return { ok: true, claims }
}

/** The claims with every member that we rely on checked for its type; `undefined` when one is wrong or missing. */
function accessClaims(claims: JsonObject): AccessClaims | undefined {
  const { iss, aud, sub, client_id, iat, exp, jti, sid, auth_time, gen, stamp, tenant, acr, amr, roles } = claims
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
    jti.length <= 128 &&
    isText(sid) &&
    parseSessionId(sid) !== undefined &&
    isSeconds(auth_time) &&
    isSeconds(gen) &&
    Number.isInteger(gen) &&
    (stamp === undefined || isSeconds(stamp)) &&
    (tenant === undefined || isText(tenant)) &&
    isText(acr) &&
    isTexts(amr) &&
    (roles === undefined || isTexts(roles))
  if (!ok || 'events' in claims) return undefined
  return {
    ...{ iss, sub, client_id, iat, exp, jti, auth_time, gen, acr, amr },
    aud: audience,
    sid: sid as SessionId,
    roles: roles ?? [],
    ...(stamp !== undefined && { stamp }),
    ...(tenant !== undefined && { tenant }),
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0
}
function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText)
}
/** A NumericDate or counter: finite, not negative, exact as a double. */
function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER
}
