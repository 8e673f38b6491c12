import { findCredentials } from '../../http/credentials.ts'
import { FORM_FIELD } from '../../http/form-token.ts'
import { problem } from '../../http/problem.ts'
import { type HttpRefused, refuseRequest } from '../../http/refusals.ts'
import { returnPath } from '../../http/return-path.ts'
import { refuse } from '../../session/reasons.ts'
import { type Answer, problemAnswer, redirectAnswer } from './answer.ts'
import { isFormOfPage, readFields, textField } from './body.ts'
import type { Exchange } from './exchange.ts'
import { admit, needsBearer } from './forgery.ts'
import { bounceMark, handedOut } from './hand-out.ts'
import { answerRefusal, toPage } from './refusal.ts'

/**
 * `POST <basePath>/refresh`: refresh token, from the cookie or the body, to fresh credentials of the same delivery. For the form of
 * the bounce document: back to where it came from, or to the login page.
 */
export async function refresh(exchange: Exchange): Promise<Answer> {
  const { kit, source } = exchange
  const read = await readFields(source)
  if (!read.ok) return problemAnswer(read.problem)
  const { fields, isForm } = read
  const refreshToken = textField(fields, 'refreshToken')
  const formToken = textField(fields, FORM_FIELD)
  const refused = await admit(exchange, { bearer: refreshToken !== undefined, formToken })
  if (refused) return answerRefusal(exchange, refused)
  const to = isFormOfPage(source, isForm) ? (returnPath(fields.returnTo) ?? kit.homePage) : undefined
  const refuseTo = (why: HttpRefused) =>
    to === undefined || kit.loginPage === undefined ? answerRefusal(exchange, why) : toPage(kit.loginPage, why, to)

  if (kit.sessions.refresh === undefined) return withoutRefreshToken(exchange, to, refuseTo)
  const credentials = findCredentials(source, {
    names: kit.cookies,
    ...(refreshToken !== undefined && { refreshToken }),
  })
  if (!credentials.ok) return answerRefusal(exchange, credentials)
  const token = credentials.refresh?.token ?? ''
  const issued = await kit.sessions.refresh(token, { context: exchange.context() })
  // A refusal never clears a cookie: this may be the loser of a race, and the winner's cookie is already there.
  if (!issued.ok) {
    // Another tab of this browser stepped up: the cookie jar has the new token by now, so asking once more helps.
    const inJar = credentials.refresh?.from === 'cookie' && issued.endedBy === 'replaced'
    return refuseTo(inJar ? { ...issued, remedy: 'refresh' } : issued)
  }
  // The rotation stands, but whoever presents the same token again gets the same successor, so nothing is lost.
  if (needsBearer(exchange, formToken) && issued.session.delivery !== 'bearer') {
    return answerRefusal(exchange, refuseRequest('origin_unproven'))
  }
  return handedOut(exchange, issued, { to, bounced: to !== undefined })
}

/** `opaque` has nothing to exchange. Its cookie, where it was only withheld, has come with this form. */
async function withoutRefreshToken(
  exchange: Exchange,
  to: string | undefined,
  refuseTo: (refused: HttpRefused) => Answer,
): Promise<Answer> {
  if (to === undefined) {
    const detail = 'this strategy has no refresh token: using the session keeps it alive'
    return problemAnswer(problem(501, 'not_supported', { detail }))
  }
  const credentials = findCredentials(exchange.source, { names: exchange.kit.cookies })
  if (!credentials.ok) return answerRefusal(exchange, credentials)
  if (credentials.access === undefined) return refuseTo(refuse('missing'))
  return redirectAnswer(to, [bounceMark(exchange)])
}
