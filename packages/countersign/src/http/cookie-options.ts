import { CountersignError, invalidOption } from '../internal/errors.ts'

/** Names of the two cookies. Both begin with `__Host-`, exactly so written. */
export interface CookieNames {
  readonly access: string
  readonly refresh: string
}

/** The default names. They tell nothing of the technology behind them. */
export const COOKIE_NAMES: CookieNames = Object.freeze({ access: '__Host-access', refresh: '__Host-refresh' })

/** How the cookies of an application are written. */
export interface CookieOptions {
  /** Default `__Host-access`. */
  readonly access?: string
  /** Default `__Host-refresh`. */
  readonly refresh?: string
  /**
   * `SameSite` of the access cookie; the refresh cookie is always `Strict`. Default `Lax`: a link from elsewhere arrives
   * logged in. With `Strict` it arrives without the cookie, and the bounce document sees to it.
   */
  readonly accessSameSite?: 'Lax' | 'Strict'
  /** Names that earlier releases of the application gave its cookies. Never read; expired wherever ours are. */
  readonly former?: readonly string[]
  /**
   * WARNING: for a development server without HTTPS whose browser drops `Secure` cookies (Safari on `http://localhost`, any
   * browser on another host). Leaves out `Secure` and the prefix, so that anybody on the network can read the cookies and
   * plant others. Refused where `NODE_ENV` is `production`.
   */
  readonly unsafeAllowInsecureCookiesForDevelopment?: boolean
  /**
   * WARNING: gives the cookies to every host below this domain, such as `example.com`: a hole in any of them is one in all
   * of them. The prefix becomes `__Secure-`; costs ASVS 3.3.3. Warns when it is used.
   */
  readonly unsafeShareCookiesWithDomain?: string
}

/** {@link CookieOptions}, checked and complete. */
export interface CookieRules extends CookieNames {
  /** Binds form tokens to a browser that has no session yet. */
  readonly form: string
  /** Says for some seconds that the bounce document has been tried. */
  readonly bounce: string
  readonly accessSameSite: 'Lax' | 'Strict'
  readonly secure: boolean
  readonly domain: string | undefined
  readonly former: readonly string[]
}

/** RFC 9110 `token`, and no `=`: what may stand before the sign. */
export const COOKIE_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/
/** RFC 6265bis `cookie-octet`: no control characters, spaces, quotes, commas, semicolons or backslashes. */
export const COOKIE_VALUE = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/

/**
 * Checks cookie names and fills in the defaults.
 *
 * @throws CountersignError `ERR_CONFIG_INVALID` for a name without the prefix `__Host-`: any sibling host, and plain
 * HTTP, could plant such a cookie (ASVS 3.3.3).
 */
export function resolveCookieNames(names: Partial<CookieNames> = {}): CookieNames {
  return Object.freeze(checkedNames(names, '__Host-'))
}

function checkedNames(names: Partial<CookieNames>, prefix: string): CookieNames {
  const byDefault = (use: keyof CookieNames) => names[use] ?? `${prefix}${use}`
  const resolved = { access: byDefault('access'), refresh: byDefault('refresh') }
  for (const use of ['access', 'refresh'] as const) {
    const name = resolved[use]
    if (!COOKIE_NAME.test(name) || !name.startsWith(prefix) || name.length === prefix.length) {
      const wanted = prefix === '' ? 'a cookie name' : `a cookie name that begins with "${prefix}"`
      throw invalidOption(`cookies.${use}`, `must be ${wanted}`)
    }
    // Without the attributes that they stand for, browsers drop a cookie of these names.
    if (prefix === '' && /^__/.test(name)) throw invalidOption(`cookies.${use}`, 'must have no prefix here')
  }
  if (resolved.access === resolved.refresh) throw invalidOption('cookies', 'must be two different names')
  return resolved
}

const OPTIONS = new Set([
  'access',
  'refresh',
  'accessSameSite',
  'former',
  'unsafeAllowInsecureCookiesForDevelopment',
  'unsafeShareCookiesWithDomain',
])
/** At least two labels, no port, no dot at the ends: what RFC 6265bis compares hosts with. */
const DOMAIN = /^(?=.{3,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+$/

/**
 * Checks how cookies are to be written and fills in the defaults.
 *
 * @throws CountersignError `ERR_CONFIG_INVALID` for a wrong value; `ERR_CONFIG_UNSAFE` for cookies without `Secure` where
 * `NODE_ENV` is `production`.
 */
export function resolveCookies(options: CookieOptions = {}): CookieRules {
  for (const name of Object.keys(options))
    if (!OPTIONS.has(name)) throw invalidOption(`cookies.${name}`, 'is no option')
  const { accessSameSite = 'Lax', former = [], unsafeShareCookiesWithDomain: domain } = options
  const insecure = options.unsafeAllowInsecureCookiesForDevelopment === true
  if (accessSameSite !== 'Lax' && accessSameSite !== 'Strict')
    throw invalidOption('cookies.accessSameSite', "must be 'Lax' or 'Strict'")
  if (domain !== undefined && !DOMAIN.test(domain))
    throw invalidOption('cookies.unsafeShareCookiesWithDomain', 'must be a host name such as "example.com"')
  if (!Array.isArray(former) || former.some((name) => !COOKIE_NAME.test(name)))
    throw invalidOption('cookies.former', 'must be a list of cookie names')
  if (insecure) refuseInProduction()
  if (insecure) warn('cookies are written without Secure: anybody on the network can read them')
  if (domain !== undefined) warn(`cookies are shared with every host below ${domain}`)
  const prefix = insecure ? '' : domain === undefined ? '__Host-' : '__Secure-'
  const names = checkedNames(options, prefix)
  const [form, bounce] = [`${insecure ? '' : '__Host-'}form`, `${insecure ? '' : '__Host-'}bounce`]
  return Object.freeze({
    ...names,
    form,
    bounce,
    accessSameSite,
    secure: !insecure,
    domain,
    former: Object.freeze(former.filter((name) => name !== names.access && name !== names.refresh)),
  })
}

function refuseInProduction(): void {
  if (process.env.NODE_ENV !== 'production') return
  const option = 'cookies.unsafeAllowInsecureCookiesForDevelopment'
  throw new CountersignError('ERR_CONFIG_UNSAFE', `"${option}" is for development, and NODE_ENV is "production"`)
}

function warn(text: string): void {
  process.emitWarning(text, { type: 'CountersignWarning' })
}

/** The rules of plain names: `__Host-` cookies, `Lax` for access. */
export function rulesOf(names: CookieNames | CookieRules): CookieRules {
  if ('secure' in names) return names
  const { access, refresh } = names
  return { ...DEFAULT_RULES, access, refresh }
}

/** Rules when nothing is set. */
export const DEFAULT_RULES: CookieRules = resolveCookies()
