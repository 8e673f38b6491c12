import { CountersignError, invalidInput } from '../internal/errors.ts'
import {
  COOKIE_NAME,
  COOKIE_NAMES,
  COOKIE_VALUE,
  type CookieNames,
  type CookieRules,
  rulesOf,
} from './cookie-options.ts'

/**
 * Browsers drop a cookie silently when its name and value are longer than this together (RFC 6265bis section 5.6). It is
 * also the budget of all cookies of ours together, so that a request stays below the 8 KiB that servers and proxies take.
 */
export const MAX_COOKIE_BYTES = 4_096
/** Browsers shorten any longer life to this: 400 days (RFC 6265bis section 5.5). */
export const MAX_COOKIE_AGE_SECONDS = 34_560_000

/** Which of the two cookies; each has its own `SameSite`. */
export type CookieUse = keyof CookieNames

/**
 * One `Set-Cookie` value: `HttpOnly; Secure; Path=/`, no `Domain`, `SameSite` `Lax` for access and `Strict` for refresh, if the
 * rules do not say otherwise.
 *
 * @param options.names - From `resolveCookieNames` or `resolveCookies`.
 * @param options.maxAgeSeconds - Only for a persistent session: how long the browser keeps it. Whole seconds, cut at 400 days.
 * Absent: until the browser is closed.
 * @throws CountersignError `ERR_COOKIE_TOO_LARGE` over 4 096 bytes, which a browser would drop silently;
 * `ERR_INPUT_INVALID` when the value holds a character that could end it, such as CR, LF or `;`.
 */
export function setCookie(
  use: CookieUse,
  value: string,
  options: { readonly names?: CookieNames | CookieRules; readonly maxAgeSeconds?: number } = {},
): string {
  const rules = rulesOf(options.names ?? COOKIE_NAMES)
  checkName(rules[use], rules)
  if (value === '' || !COOKIE_VALUE.test(value))
    throw invalidInput('value', 'must be one or more characters that a cookie may hold')
  if (rules[use].length + value.length > MAX_COOKIE_BYTES) throw tooLarge(`the ${use} cookie is`)
  const { maxAgeSeconds } = options
  return `${rules[use]}=${value}${attributes(use, rules, rules.domain)}${lifetime(maxAgeSeconds)}`
}

/** The names were checked when they were resolved, but whoever builds the object by hand must not get a header with a hole. */
function checkName(name: string, rules: CookieRules): void {
  const prefix = rules.secure ? (rules.domain === undefined ? '__Host-' : '__Secure-') : ''
  const isOurs = COOKIE_NAME.test(name) && name.startsWith(prefix) && name.length > prefix.length
  if (!isOurs) throw invalidInput('names', 'must come from resolveCookieNames or resolveCookies')
}

/** Removes a cookie: the same name, path, domain and prefix rules, an empty value and `Max-Age=0`. */
export function expireCookie(use: CookieUse, names: CookieNames | CookieRules = COOKIE_NAMES): string {
  const rules = rulesOf(names)
  return `${rules[use]}=${attributes(use, rules, rules.domain)}; Max-Age=0`
}

/**
 * Removes every cookie that may be one of ours: both, in every form in which the rules have them or may have had them, and
 * the former names. For an answer to a request that carries one of them twice: what is left afterwards is the next login's.
 */
export function expireEveryCookie(names: CookieNames | CookieRules = COOKIE_NAMES): readonly string[] {
  const rules = rulesOf(names)
  const domains = rules.domain === undefined ? [undefined] : [rules.domain, undefined]
  const ours = domains.flatMap((domain) =>
    (['access', 'refresh'] as const).map((use) => `${rules[use]}=${attributes(use, rules, domain)}; Max-Age=0`),
  )
  return [...ours, ...expireFormer(rules)]
}

/** Removes the cookies of earlier releases: host-only, and for the domain where there is one. */
export function expireFormer(rules: CookieRules): readonly string[] {
  return rules.former.flatMap((name) => {
    const domains = rules.domain === undefined || name.startsWith('__Host-') ? [undefined] : [rules.domain, undefined]
    return domains.map((domain) => `${name}=${attributes('access', rules, domain)}; Max-Age=0`)
  })
}

/** A cookie that holds no credential and concerns one browser for a while: host-only, `HttpOnly`. */
export function setPlainCookie(
  use: 'form' | 'bounce',
  value: string,
  rules: CookieRules,
  maxAgeSeconds?: number,
): string {
  // The form cookie has to come with a form that a link from elsewhere has led to.
  return `${rules[use]}=${value}; Path=/${rules.secure ? '; Secure' : ''}; HttpOnly; SameSite=Lax${lifetime(maxAgeSeconds)}`
}

/** @throws CountersignError `ERR_COOKIE_TOO_LARGE` when all of them together are over the budget. */
export function checkBudget(setCookies: readonly string[], alsoBytes = 0): void {
  const bytes = setCookies.reduce((sum, one) => sum + one.indexOf(';') - 1, alsoBytes)
  if (bytes > MAX_COOKIE_BYTES) throw tooLarge('the cookies of a session are together')
}

function tooLarge(what: string): CountersignError {
  return new CountersignError('ERR_COOKIE_TOO_LARGE', `${what} larger than ${MAX_COOKIE_BYTES} bytes`)
}

function lifetime(seconds: number | undefined): string {
  if (seconds === undefined) return ''
  if (!Number.isFinite(seconds) || seconds < 0) throw invalidInput('maxAgeSeconds', 'must be 0 or more')
  return `; Max-Age=${Math.min(Math.floor(seconds), MAX_COOKIE_AGE_SECONDS)}`
}

function attributes(use: CookieUse, rules: CookieRules, domain: string | undefined): string {
  const sameSite = use === 'refresh' ? 'Strict' : rules.accessSameSite
  const where = domain === undefined ? '' : `; Domain=${domain}`
  return `; Path=/${where}${rules.secure ? '; Secure' : ''}; HttpOnly; SameSite=${sameSite}`
}
