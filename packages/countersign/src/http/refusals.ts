import type { Refused, Remedy } from '../session/reasons.ts'

/** Why a request was refused before any token was looked at. */
export type RequestReason =
  /** The same credential came twice, by two ways. */
  | 'credential_twice'
  /** `Authorization` is repeated, or is not `Bearer` and exactly one token. */
  | 'authorization_malformed'
  /** The browser says that another site or another origin sent it. */
  | 'origin_foreign'
  /** Nothing says where it came from. */
  | 'origin_unproven'
  /** The token of its form is missing, or of another session. */
  | 'form_token'

/** The refusal of a request as such, a value like {@link Refused}. */
export type RequestRefused = {
  readonly ok: false
  readonly reason: RequestReason
  readonly remedy: Remedy
}

/** Everything that {@link problemOf} can put into an answer. */
export type HttpRefused = Refused | RequestRefused

export function refuseRequest(reason: RequestReason): RequestRefused {
  return Object.freeze({ ok: false, reason, remedy: 'none' })
}
