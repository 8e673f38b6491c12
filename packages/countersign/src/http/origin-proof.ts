import { invalidOption } from '../internal/errors.ts'
import { type RequestRefused, refuseRequest } from './refusals.ts'
import { isSafeMethod, type RequestFacts, singleHeader } from './request.ts'

/** Add it to every answer that depends on where a request came from, so that no cache gives it to somebody else. */
export const ORIGIN_VARY = 'Sec-Fetch-Site, Origin, Referer'

/**
 * What a request says of its origin. `not_needed`: a safe method. `ours`: sent by a page of ours, or by the user from
 * the address bar. `foreign`: sent by somebody else's page. `unknown`: it says nothing, as programs do and browsers do not.
 */
export type OriginEvidence = 'not_needed' | 'ours' | 'foreign' | 'unknown'

/**
 * Looks for evidence in this order, and the first that is there decides: Fetch Metadata, which pages cannot forge;
 * `Origin`; the origin in `Referer` (OWASP CSRF Prevention, Fetch Metadata). `same-site` is foreign: a sibling host, or
 * another port, is not us.
 *
 * @param origins - Our own, from {@link resolveOrigins}.
 */
export function originEvidence(request: RequestFacts, origins: readonly string[]): OriginEvidence {
  if (isSafeMethod(request.method)) return 'not_needed'
  const site = singleHeader(request, 'sec-fetch-site')
  const origin = singleHeader(request, 'origin')
  const referer = singleHeader(request, 'referer')
  if (site === 'several' || origin === 'several' || referer === 'several') return 'foreign'
  if (site.value !== undefined) return site.value === 'same-origin' || site.value === 'none' ? 'ours' : 'foreign'
  // `null` stands for sandboxed frames, `data:` pages and some redirects: it is never among our origins.
  if (origin.value !== undefined) return origins.includes(origin.value) ? 'ours' : 'foreign'
  if (referer.value === undefined) return 'unknown'
  const from = URL.canParse(referer.value) ? new URL(referer.value).origin : 'null'
  return origins.includes(from) ? 'ours' : 'foreign'
}

/** What may stand in for evidence when a request says nothing of its origin. */
export interface OriginRule {
  readonly origins: readonly string[]
  /** The request carries one of our cookies: a browser may have added them without being asked. */
  readonly ourCookies: boolean
  /** It uses the delivery `bearer`: its credential is one that no browser adds by itself. */
  readonly bearer: boolean
}

/**
 * The defence against cross-site request forgery. Refuses every unsafe request that does not come from us; one that says
 * nothing of its origin passes only without our cookies and with the delivery `bearer`.
 */
export function checkOrigin(request: RequestFacts, rule: OriginRule): { readonly ok: true } | RequestRefused {
  const evidence = originEvidence(request, rule.origins)
  if (evidence === 'foreign') return refuseRequest('origin_foreign')
  if (evidence === 'unknown' && (rule.ourCookies || !rule.bearer)) return refuseRequest('origin_unproven')
  return { ok: true }
}

/**
 * Origins in the form in which browsers send them.
 *
 * @throws CountersignError `ERR_CONFIG_INVALID` when one is not `http(s)://host[:port]` and nothing more.
 */
export function resolveOrigins(origins: readonly string[]): readonly string[] {
  return Object.freeze(
    origins.map((text) => {
      const url = URL.canParse(text) ? new URL(text) : undefined
      const isOrigin = url && /^https?:$/.test(url.protocol) && `${url.origin}/` === url.href
      if (!isOrigin) throw invalidOption('origins', 'must be origins such as "https://app.example.com", without a path')
      return url.origin
    }),
  )
}
