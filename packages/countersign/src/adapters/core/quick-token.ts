import type { CookieNames } from '../../http/cookie-options.ts'

/**
 * The access token of a plain request, for the path of nearly every request: no lists, no expressions, one slice. Gives
 * `undefined` wherever anything is unusual, and then `findCredentials` decides; what it gives
 * is what that finds too. Of the refresh cookie it sees only whether it is there twice, not whether its value could be one.
 *
 * @param authorization - `null` when the field came more than once.
 */
export function quickToken(
  authorization: string | null | undefined,
  cookie: string | undefined,
  names: CookieNames,
): string | undefined {
  if (authorization === undefined) return cookie === undefined ? undefined : tokenInCookie(cookie, names)
  if (authorization === null || !authorization.startsWith('Bearer ')) return undefined
  if (cookie !== undefined && (cookie.includes(names.access) || isRepeated(cookie, names.refresh))) return undefined
  return authorization.slice(7)
}

function tokenInCookie(cookie: string, { access, refresh }: CookieNames): string | undefined {
  const at = cookie.indexOf(access)
  // A name may also stand inside another name or a value: then it seems to be there twice, and that is unusual enough.
  if (at < 0 || cookie.includes(access, at + 1) || isRepeated(cookie, refresh)) return undefined
  const sign = at + access.length
  if (cookie.charCodeAt(sign) !== EQUALS) return undefined
  if (at > 0 && !(cookie.charCodeAt(at - 1) === SPACE && cookie.charCodeAt(at - 2) === SEMICOLON)) return undefined
  const end = cookie.indexOf(';', sign)
  return end < 0 ? cookie.slice(sign + 1) : cookie.slice(sign + 1, end)
}

function isRepeated(text: string, part: string): boolean {
  const at = text.indexOf(part)
  return at >= 0 && text.includes(part, at + 1)
}

const EQUALS = 0x3d
const SPACE = 0x20
const SEMICOLON = 0x3b
