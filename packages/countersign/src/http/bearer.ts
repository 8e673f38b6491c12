import { type RequestRefused, refuseRequest } from './refusals.ts'
import { type RequestFacts, singleHeader } from './request.ts'

/** RFC 6750 section 2.1: the scheme, spaces, and one `b64token`. The scheme is compared without case (RFC 9110 section 11.1). */
const BEARER = /^bearer +([A-Za-z0-9\-._~+/]+=*)$/i

/**
 * The token of an `Authorization: Bearer` header. It is read from nowhere else: never from the query, whose text ends
 * up in logs and histories (RFC 9700 section 4.3.2), never from the body.
 *
 * @returns Without a token when there is no such header, or when it is of another scheme, which is somebody else's
 * business. Refused when it is repeated, or says `Bearer` and not exactly one token.
 */
export function readBearer(request: RequestFacts): { readonly ok: true; readonly token?: string } | RequestRefused {
  const header = singleHeader(request, 'authorization')
  if (header === 'several') return refuseRequest('authorization_malformed')
  const { value } = header
  if (value === undefined || !/^bearer(?:[^!#$%&'*+\-.^_`|~0-9A-Za-z]|$)/i.test(value)) return { ok: true }
  const token = BEARER.exec(value)?.[1]
  return token === undefined ? refuseRequest('authorization_malformed') : { ok: true, token }
}
