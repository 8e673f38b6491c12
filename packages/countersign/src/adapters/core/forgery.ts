import { carriesCookies } from '../../http/cookies.ts'
import { FORM_FIELD, FORM_HEADER } from '../../http/form-token.ts'
import { isEmbeddedElsewhere } from '../../http/navigation.ts'
import { checkOrigin, originEvidence } from '../../http/origin-proof.ts'
import { type HttpRefused, refuseRequest } from '../../http/refusals.ts'
import { isSafeMethod, singleHeader } from '../../http/request.ts'
import type { Exchange } from './exchange.ts'

/**
 * Requests that somebody else's page has the browser send. Only a cookie can be misused so: a browser adds no `Authorization`
 * by itself.
 */
export function forgery(exchange: Exchange, needsForm = false): HttpRefused | undefined {
  const { source, kit } = exchange
  const isSafe = isSafeMethod(source.method)
  if (exchange.from === 'cookie') {
    if (isSafe) return isEmbeddedElsewhere(source) ? refuseRequest('origin_foreign') : undefined
    const checked = checkOrigin(source, { origins: kit.origins(), ourCookies: true, bearer: false })
    if (!checked.ok) return checked.reason === 'origin_unproven' && hasFormToken(exchange) ? undefined : checked
  }
  return needsForm && !isSafe && !hasFormToken(exchange) ? refuseRequest('form_token') : undefined
}

function hasFormToken(exchange: Exchange): boolean {
  const { source } = exchange
  const header = singleHeader(source, FORM_HEADER)
  if (header === 'several') return false
  const body = source.parsedBody as { readonly [FORM_FIELD]?: unknown } | undefined
  return exchange.isFormToken(header.value ?? body?.[FORM_FIELD])
}

/**
 * Whether a request to one of our handlers may change something. One that says nothing of its origin passes with the delivery
 * `bearer` and without our cookies, or with a form token.
 */
export function admit(
  exchange: Exchange,
  by: { readonly bearer: boolean; readonly formToken: unknown },
): HttpRefused | undefined {
  const { source, kit } = exchange
  const ourCookies = carriesCookies(source, kit.cookies)
  const checked = checkOrigin(source, { origins: kit.origins(), ourCookies, bearer: by.bearer })
  const header = singleHeader(source, FORM_HEADER)
  const token = by.formToken ?? (header === 'several' ? '' : header.value)
  if (token === undefined) return checked.ok ? undefined : checked
  if (!checked.ok && checked.reason !== 'origin_unproven') return checked
  return exchange.isFormToken(token) ? undefined : refuseRequest('form_token')
}

/** Nothing says where the request came from. */
export function isOriginUnknown({ source, kit }: Exchange): boolean {
  return originEvidence(source, kit.origins()) === 'unknown'
}
