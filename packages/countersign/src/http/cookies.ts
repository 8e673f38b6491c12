import { CountersignError, invalidInput, invalidOption } from '../internal/errors.ts'
import { type Refused, refuse } from '../session/reasons.ts'
import type { RequestFacts } from './request.ts'

/** Names of the two cookies. Both begin with `__Host-`, exactly so written. */
export interface CookieNames {
  readonly access: string
  readonly refresh: string
}

/** The default names. They tell nothing of the technology behind them. */
export const COOKIE_NAMES: CookieNames = Object.freeze({ access: '__Host-access', refresh: '__Host-refresh' })

/** Browsers drop a cookie silently when its name and value are longer than this together (RFC 6265bis section 5.6). */
export const MAX_COOKIE_BYTES = 4_096
/** Browsers shorten any longer life to this: 400 days (RFC 6265bis section 5.5). */
export const MAX_COOKIE_AGE_SECONDS = 34_560_000

/** RFC 9110 `token`, and no `=`: what may stand before the sign. */
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/
/** RFC 6265bis `cookie-octet`: no control characters, spaces, quotes, commas, semicolons or backslashes. */
const VALUE = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/

/**
 * Checks cookie names and fills in the defaults.
 *
 * @throws CountersignError `ERR_CONFIG_INVALID` for a name without the prefix `__Host-`: any sibling host, and plain
 * HTTP, could plant such a cookie (ASVS 3.3.3).
 */
export function resolveCookieNames(names: Partial<CookieNames> = {}): CookieNames {
  const resolved = { access: names.access ?? COOKIE_NAMES.access, refresh: names.refresh ?? COOKIE_NAMES.refresh }
  for (const use of ['access', 'refresh'] as const) {
    if (!NAME.test(resolved[use]) || !/^__Host-./.test(resolved[use])) {
      throw invalidOption(`cookies.${use}`, 'must be a cookie name that begins with "__Host-"')
    }
  }
  if (resolved.access === resolved.refresh) throw invalidOption('cookies', 'must be two different names')
  return Object.freeze(resolved)
}

/** What a `Cookie` header holds of ours. */
export type OurCookies = { readonly ok: true; readonly access?: string; readonly refresh?: string } | Refused

/**
 * Reads our cookies and no others. Names are compared exactly, although browsers compare prefixes without case.
 *
 * @returns Refused with `duplicate_cookie` when one of our names is there twice: the order of equal names means nothing
 * (RFC 6265bis section 5.8.3), so nobody knows which one the browser was given by us. Refused with `malformed` when a
 * value holds characters that no cookie of ours has.
 */
export function readCookies(request: RequestFacts, names: CookieNames = COOKIE_NAMES): OurCookies {
  let access: string | undefined
  let refresh: string | undefined
  for (const [name, value] of pairs(request)) {
    if (name !== names.access && name !== names.refresh) continue
    if ((name === names.access ? access : refresh) !== undefined) return refuse('duplicate_cookie')
    if (value === '' || !VALUE.test(value)) return refuse('malformed')
    if (name === names.access) access = value
    else refresh = value
  }
  return { ok: true, ...(access !== undefined && { access }), ...(refresh !== undefined && { refresh }) }
}

/** Whether a request carries one of our cookies in whatever state: such a request always has to prove its origin. */
export function carriesCookies(request: RequestFacts, names: CookieNames = COOKIE_NAMES): boolean {
  return pairs(request).some(([name]) => name === names.access || name === names.refresh)
}

/** Name and value of each part, a part without `=` as a name without value. HTTP/2 may send several fields. */
function pairs(request: RequestFacts): [name: string, value: string][] {
  const header = request.header('cookie')
  if (header === undefined) return []
  const text = typeof header === 'string' ? header : header.join('; ')
  return text.split(';').map((part) => {
    const at = part.indexOf('=')
    return at < 0 ? [trim(part), ''] : [trim(part.slice(0, at)), trim(part.slice(at + 1))]
  })
}

/** Only spaces and tabs: `String.trim` would also take characters that browsers keep. */
function trim(text: string): string {
  // By hand: a pattern for the blanks at the end tries every run of blanks in the middle, again from each of them.
  let start = 0
  let end = text.length
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09

/** Every value of our cookies that is there, also where one is there twice: for ending what they belong to. */
export function allCookies(request: RequestFacts, names: CookieNames = COOKIE_NAMES): readonly string[] {
  const ours = pairs(request).filter(([name]) => name === names.access || name === names.refresh)
  return ours.map(([, value]) => value).filter((value) => value !== '' && VALUE.test(value))
}

/** Which of the two cookies; each has its own `SameSite`. */
export type CookieUse = keyof CookieNames

const SAME_SITE = { access: 'Lax', refresh: 'Strict' } as const

/**
 * One `Set-Cookie` value: `HttpOnly; Secure; Path=/`, no `Domain`, `SameSite` `Lax` for access and `Strict` for refresh.
 *
 * @param maxAgeSeconds - Only for a persistent session: how long the browser keeps it. Whole seconds, cut at 400 days.
 * Absent: until the browser is closed.
 * @throws CountersignError `ERR_COOKIE_TOO_LARGE` over 4 096 bytes, which a browser would drop silently;
 * `ERR_INPUT_INVALID` when the value holds a character that could end it, such as CR, LF or `;`.
 */
export function setCookie(
  use: CookieUse,
  value: string,
  options: { readonly names?: CookieNames; readonly maxAgeSeconds?: number } = {},
): string {
  const name = (options.names ?? COOKIE_NAMES)[use]
  // The names were checked when they were resolved, but whoever builds the object by hand must not get a header with a hole.
  if (!NAME.test(name) || !/^__Host-./.test(name)) throw invalidInput('names', 'must come from resolveCookieNames')
  if (value === '' || !VALUE.test(value))
    throw invalidInput('value', 'must be one or more characters that a cookie may hold')
  if (name.length + value.length > MAX_COOKIE_BYTES) {
    throw new CountersignError('ERR_COOKIE_TOO_LARGE', `the ${use} cookie is larger than ${MAX_COOKIE_BYTES} bytes`)
  }
  const { maxAgeSeconds } = options
  if (maxAgeSeconds === undefined) return `${name}=${value}${attributes(use)}`
  if (!Number.isFinite(maxAgeSeconds) || maxAgeSeconds < 0) throw invalidInput('maxAgeSeconds', 'must be 0 or more')
  return `${name}=${value}${attributes(use)}; Max-Age=${Math.min(Math.floor(maxAgeSeconds), MAX_COOKIE_AGE_SECONDS)}`
}

/** Removes a cookie: the same name, path and prefix rules, an empty value and `Max-Age=0`. */
export function expireCookie(use: CookieUse, names: CookieNames = COOKIE_NAMES): string {
  return `${names[use]}=${attributes(use)}; Max-Age=0`
}

function attributes(use: CookieUse): string {
  return `; Path=/; Secure; HttpOnly; SameSite=${SAME_SITE[use]}`
}
