import { type Refused, refuse } from '../session/reasons.ts'
import { COOKIE_NAMES, COOKIE_VALUE, type CookieNames, type CookieRules } from './cookie-options.ts'
import type { RequestFacts } from './request.ts'

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
    if (value === '' || !COOKIE_VALUE.test(value)) return refuse('malformed')
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
  return ours.map(([, value]) => value).filter((value) => value !== '' && COOKIE_VALUE.test(value))
}

/** Whether a request carries a cookie that only an earlier release of the application, or another setting, has written. */
export function carriesFormer(request: RequestFacts, rules: CookieRules): boolean {
  return rules.former.length > 0 && pairs(request).some(([name]) => rules.former.includes(name))
}

/** The value of one cookie, by its exact name. `undefined` when it is absent, empty, there twice or not a cookie of ours. */
export function oneCookie(request: RequestFacts, name: string): string | undefined {
  const found = pairs(request).filter(([one]) => one === name)
  const value = found.length === 1 ? found[0]![1] : ''
  return value !== '' && COOKIE_VALUE.test(value) ? value : undefined
}
