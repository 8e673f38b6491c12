import type { Refused } from '../session/reasons.ts'
import { readBearer } from './bearer.ts'
import { COOKIE_NAMES, type CookieNames } from './cookie-options.ts'
import { readCookies } from './cookies.ts'
import { type RequestRefused, refuseRequest } from './refusals.ts'
import type { RequestFacts } from './request.ts'

/** A token as received, and the way it came. A secret: never log it. */
export interface Credential<From extends string> {
  readonly token: string
  readonly from: From
}

/** The credentials of a request. Nothing has been verified yet. */
export interface Credentials {
  readonly ok: true
  readonly access?: Credential<'header' | 'cookie'>
  readonly refresh?: Credential<'cookie' | 'body'>
}

/**
 * Finds the access token (header or cookie) and the refresh token (cookie or body) of a request.
 *
 * @param options.refreshToken - The one in the body, if the route takes one there.
 * @returns Refused with `credential_twice` when the same one came by both ways (RFC 6750 section 2: no more than one
 * method), and with what {@link readCookies} and {@link readBearer} refuse.
 */
export function findCredentials(
  request: RequestFacts,
  options: { readonly names?: CookieNames; readonly refreshToken?: string | undefined } = {},
): Credentials | Refused | RequestRefused {
  const bearer = readBearer(request)
  if (!bearer.ok) return bearer
  const cookies = readCookies(request, options.names ?? COOKIE_NAMES)
  if (!cookies.ok) return cookies
  const { refreshToken } = options
  const accessTwice = bearer.token !== undefined && cookies.access !== undefined
  if (accessTwice || (refreshToken !== undefined && cookies.refresh !== undefined))
    return refuseRequest('credential_twice')
  const access = choose('header', bearer.token, 'cookie', cookies.access)
  const refresh = choose('body', refreshToken, 'cookie', cookies.refresh)
  return { ok: true, ...(access && { access }), ...(refresh && { refresh }) }
}

function choose<A extends string, B extends string>(a: A, first: string | undefined, b: B, second: string | undefined) {
  if (first !== undefined) return { token: first, from: a }
  return second === undefined ? undefined : { token: second, from: b }
}
