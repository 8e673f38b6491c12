import { type Refused, refuse } from '../session/reasons.ts'
import type { Checked, Principal } from '../session/types.ts'
import { principalOf, readClaims } from '../tokens/claims.ts'
import type { JsonObject } from '../tokens/strict-json.ts'

/** What an answer must say to be about a token for us. */
export interface Expected {
  readonly issuer: string
  readonly audience: string
  readonly roles: ReadonlySet<string> | undefined
}

/**
 * The principal that an introspection answer (RFC 7662 section 2.2) describes. `active` alone is not enough: it must be
 * an access token of our issuer, for us, with a subject and an end. What RFC 9068 requires of a JWT and an opaque token
 * does not have (`jti`, `iat`, `client_id`) may be missing.
 */
export function principalOfAnswer(answer: JsonObject, expected: Expected): Checked<Principal> {
  // RFC 7662 gives no reason. Whoever has a refresh token may try it once; who has none logs in.
  if (answer.active !== true) return UNKNOWN
  const { token_type: type, iss = expected.issuer } = answer
  // A token bound to a key (DPoP, RFC 9449 section 7.1) is nothing without its proof.
  if (type !== undefined && (typeof type !== 'string' || type.toLowerCase() !== 'bearer')) return MISMATCH
  if (typeof answer.exp !== 'number') return MISMATCH
  const claims = readClaims({ ...NOT_SAID, ...answer, iss })
  if (!claims || claims.iss !== expected.issuer || !claims.aud.includes(expected.audience)) return MISMATCH
  const { roles } = expected
  const known = roles ? { ...claims, roles: claims.roles.filter((role) => roles.has(role)) } : claims
  const { clientId, ...principal } = principalOf(known)
  return {
    ok: true,
    session: Object.freeze(answer.client_id === undefined ? principal : { ...principal, clientId: clientId! }),
  }
}

/** Stands in for what may be missing. None of it reaches the caller. */
const NOT_SAID = { iat: 0, jti: '-', client_id: '-' }
const UNKNOWN: Refused = Object.freeze({ ...refuse('unknown'), remedy: 'refresh' })
const MISMATCH: Refused = refuse('claim_mismatch')
