import { carriesCookies } from '../../http/cookies.ts'
import { FORM_FIELD, FORM_HEADER } from '../../http/form-token.ts'
import { isEmbeddedElsewhere } from '../../http/navigation.ts'
import { checkOrigin, originEvidence } from '../../http/origin-proof.ts'
import { type HttpRefused, refuseRequest } from '../../http/refusals.ts'
import { isSafeMethod, singleHeader } from '../../http/request.ts'
import { allTokens, sessionsBehind } from '../../http/sessions-behind.ts'
import type { SessionId } from '../../session/ids.ts'
import type { Exchange } from './exchange.ts'
import type { RequestSource } from './source.ts'

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
export async function admit(
  exchange: Exchange,
  by: { readonly bearer: boolean; readonly formToken: string | undefined },
): Promise<HttpRefused | undefined> {
  const { source, kit } = exchange
  const ourCookies = carriesCookies(source, kit.cookies)
  const checked = checkOrigin(source, { origins: kit.origins(), ourCookies, bearer: by.bearer })
  const token = givenToken(source, by.formToken)
  if (token === undefined) return checked.ok ? undefined : checked
  if (!checked.ok && checked.reason !== 'origin_unproven') return checked
  return (await isOfRequest(exchange, token)) ? undefined : refuseRequest('form_token')
}

/**
 * Nothing shows where a request that was admitted came from: then only a session of the delivery `bearer` may be used or made by
 * it. A form token that was given has been found right by {@link admit}.
 */
export function needsBearer({ source, kit }: Exchange, formToken: string | undefined): boolean {
  return originEvidence(source, kit.origins()) === 'unknown' && givenToken(source, formToken) === undefined
}

/** The refusal where one of these sessions is a browser's, and {@link needsBearer}. Before anything happens to them. */
export async function admitTo(
  exchange: Exchange,
  ids: Iterable<SessionId>,
  formToken: string | undefined,
): Promise<HttpRefused | undefined> {
  if (!needsBearer(exchange, formToken)) return undefined
  for (const id of ids) {
    const found = await exchange.kit.sessions.get?.(id)
    if (found?.ok && found.session.delivery !== 'bearer') return refuseRequest('origin_unproven')
  }
  return undefined
}

/** The form token of a request to one of our handlers, from the field or from the header. */
function givenToken(source: RequestSource, field: string | undefined): string | undefined {
  const header = singleHeader(source, FORM_HEADER)
  return field ?? (header === 'several' ? '' : header.value)
}

/** Whether it belongs to the browser, or to a session of the request, whose tokens may have expired since the form was shown. */
async function isOfRequest(exchange: Exchange, formToken: string): Promise<boolean> {
  if (exchange.isFormToken(formToken)) return true
  const { source, kit } = exchange
  const { explain } = kit.sessions
  const ids = explain ? await sessionsBehind({ explain }, allTokens(source, kit.cookies)) : []
  return [...ids].some((id) => exchange.isFormTokenOf(id, formToken))
}
