import type { ProxyList } from '../../http/client-address.ts'
import { resolveProxies } from '../../http/client-address.ts'
import { type CookieOptions, type CookieRules, resolveCookies } from '../../http/cookie-options.ts'
import { resolveOrigins } from '../../http/origin-proof.ts'
import type { HttpRefused } from '../../http/refusals.ts'
import { returnPath } from '../../http/return-path.ts'
import { CLEAR_SITE_DATA } from '../../http/security-headers.ts'
import { CountersignError, invalidOption } from '../../internal/errors.ts'
import { systemRuntime } from '../../internal/runtime.ts'
import type { Context } from '../../session/types.ts'
import { refuseUnknown } from '../../strategies/options.ts'
import type { Keys } from '../../tokens/keys.ts'
import { type Inside, insideOf } from '../../verbs/inside.ts'
import type { Attempt, Proof, ProofRefused, SessionIn, WebSessions } from './types.ts'

/** What every adapter takes. */
export interface WebOptions<V extends WebSessions> {
  /** From `createSessions`; a service that only checks tokens gives `createVerifier` or `createRemoteVerifier` instead. */
  readonly sessions: V
  /** Our own origins, as browsers send them: `https://app.example.com`. A function where they are known only after listening. */
  readonly origins: readonly string[] | (() => readonly string[])
  /** Names and attributes of the cookies. */
  readonly cookies?: CookieOptions
  /** Where the handlers are: `<basePath>/login`, `/refresh`, `/logout`, `/reauth`, as the browser sees it. Default `/auth`. */
  readonly basePath?: string
  /**
   * Page to which somebody without a session is sent, with `returnTo` and `reason` in its query. Absent: navigations get the same
   * problem as every other request. Must not be behind a guard.
   */
  readonly loginPage?: string
  /** Page to which somebody is sent who has to prove more. Default `loginPage`. */
  readonly reauthPage?: string
  /** Where a form without `returnTo` leads after login, and where logout does. Default `/` and `loginPage`. */
  readonly homePage?: string
  /** Proxies whose `X-Forwarded-For` counts: addresses and ranges. Default none. */
  readonly trustedProxies?: readonly string[]
  /**
   * Finds out who wants to log in; without it there is no `POST <basePath>/login`. `passwordLogin(accounts)` is one. Called a
   * second time when something about the account changed meanwhile (`stale_epoch`).
   */
  readonly authenticate?: (attempt: Attempt) => Promise<Proof<V>>
  /** Finds out once more that it is the same person; without it there is no `POST <basePath>/reauth`. */
  readonly reauthenticate?: (
    attempt: Attempt & { readonly session: SessionIn<V> },
  ) => Promise<{ readonly ok: true; readonly acr: string; readonly amr: readonly string[] } | ProofRefused>
  /** What a browser forgets at logout, `Clear-Site-Data`. Default `"cache", "cookies", "storage"`; empty: nothing. */
  readonly clearSiteData?: string
  /** Is told of every request that is refused, for a log. Holds no secret. */
  readonly onRefused?: (refused: HttpRefused, context: Context) => void
}

const OPTIONS = new Set([
  'sessions',
  'origins',
  'cookies',
  'basePath',
  'loginPage',
  'reauthPage',
  'homePage',
  'trustedProxies',
  'authenticate',
  'reauthenticate',
  'clearSiteData',
  'onRefused',
])

/** Everything that the parts of an adapter work with. */
export interface Kit {
  readonly sessions: WebSessions
  readonly inside: Inside | undefined
  readonly cookies: CookieRules
  readonly isOurProxy: ProxyList
  readonly basePath: string
  readonly loginPage: string | undefined
  readonly reauthPage: string | undefined
  readonly homePage: string
  readonly clearSiteData: string
  readonly authenticate: WebOptions<any>['authenticate']
  readonly reauthenticate: WebOptions<any>['reauthenticate']
  readonly onRefused: NonNullable<WebOptions<any>['onRefused']>
  readonly random: (bytes: number) => Uint8Array
  origins(): readonly string[]
  nowMs(): number
  /** @throws CountersignError `ERR_CONFIG_INVALID` without sessions of our own. */
  keys(): Keys
}

/** @throws CountersignError `ERR_CONFIG_INVALID`, `ERR_CONFIG_UNSAFE`, naming the option. */
export function resolveKit(options: WebOptions<any>): Kit {
  refuseUnknown(options, OPTIONS, 'options')
  const { sessions, origins, onRefused = () => {}, clearSiteData = CLEAR_SITE_DATA } = options
  if (typeof sessions?.verifyNow !== 'function') throw invalidOption('sessions', 'must come from createSessions')
  if (typeof origins !== 'function' && !Array.isArray(origins))
    throw invalidOption('origins', 'must be a list of origins')
  const inside = insideOf(sessions)
  const [loginPage, reauthPage, homePage] = (['loginPage', 'reauthPage', 'homePage'] as const).map((name) => {
    const path = options[name]
    if (path !== undefined && returnPath(path) === undefined)
      throw invalidOption(name, 'must be a path such as "/login"')
    return path
  })
  if (!/^[\x20-\x7e]*$/.test(clearSiteData)) throw invalidOption('clearSiteData', 'must be the value of a header')
  return {
    sessions,
    inside,
    cookies: resolveCookies(options.cookies),
    isOurProxy: resolveProxies(options.trustedProxies),
    basePath: basePathOf(options.basePath ?? '/auth'),
    loginPage,
    reauthPage: reauthPage ?? loginPage,
    homePage: homePage ?? '/',
    clearSiteData,
    authenticate: options.authenticate,
    reauthenticate: options.reauthenticate,
    onRefused,
    random: inside?.runtime.random ?? systemRuntime.random,
    origins: originsOf(origins),
    nowMs: () => inside?.nowMs() ?? systemRuntime.clock.nowMs(),
    keys() {
      if (!inside) throw new CountersignError('ERR_CONFIG_INVALID', '"sessions" has no keyring for form tokens')
      return inside.keys
    },
  }
}

function basePathOf(path: string): string {
  const base = path.replace(/\/$/, '')
  if (base !== '' && !/^(?:\/[\w.~-]+)+$/.test(base)) throw invalidOption('basePath', 'must be a path such as "/auth"')
  return base
}

/** Checked at once where they are known; where they are not, again whenever others are given. */
function originsOf(origins: readonly string[] | (() => readonly string[])): () => readonly string[] {
  if (typeof origins !== 'function') {
    const resolved = resolveOrigins(origins)
    return () => resolved
  }
  let given: readonly string[] | undefined
  let resolved: readonly string[] = []
  return () => {
    const now = origins()
    if (now !== given) resolved = resolveOrigins(now)
    given = now
    return resolved
  }
}
