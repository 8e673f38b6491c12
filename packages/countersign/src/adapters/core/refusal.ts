import { REFUSAL_ANSWERS } from '../../http/answers.ts'
import { BOUNCE_HEADERS, bounceDocument } from '../../http/bounce.ts'
import { carriesCookies, oneCookie } from '../../http/cookies.ts'
import { isNavigation, mayHideStrictCookies } from '../../http/navigation.ts'
import type { Challenge } from '../../http/problem.ts'
import type { HttpRefused } from '../../http/refusals.ts'
import { returnPath } from '../../http/return-path.ts'
import { expireEveryCookie } from '../../http/set-cookie.ts'
import { type Answer, redirectAnswer, refusalAnswer } from './answer.ts'
import type { Exchange } from './exchange.ts'

/**
 * The answer to a refused request: a problem for programs; for people the login page, or first the bounce document where
 * fresh credentials may be had without them. No cookie is touched, but for those that came twice.
 */
export function answerRefusal(exchange: Exchange, refused: HttpRefused, challenge: Challenge = {}): Answer {
  const { kit, source } = exchange
  kit.onRefused(refused, exchange.context())
  const cookies = refused.reason === 'duplicate_cookie' ? expireEveryCookie(kit.cookies) : []
  if (kit.loginPage === undefined || !isNavigation(source)) return refusalAnswer(refused, challenge, cookies)
  const here = returnPath(source.target)
  if (pathOf(source.target) === pathOf(kit.loginPage)) return refusalAnswer(refused, challenge, cookies)
  if (refused.remedy === 'step_up') return toPage(kit.reauthPage!, refused, here)
  if (canBounce(exchange, refused)) return bounce(exchange, here ?? kit.homePage)
  return refused.remedy === 'sign_in' || refused.remedy === 'refresh'
    ? toPage(kit.loginPage, refused, here, cookies)
    : refusalAnswer(refused, challenge, cookies)
}

/** To a page of ours that says why, and knows where to go on. */
export function toPage(
  page: string,
  refused: HttpRefused,
  returnTo: string | undefined,
  cookies: readonly string[] = [],
): Answer {
  const { code, hideReason } = REFUSAL_ANSWERS[refused.reason]
  const query = new URLSearchParams({ reason: hideReason ? code : refused.reason })
  if ('endedBy' in refused && refused.endedBy !== undefined) query.set('endedBy', refused.endedBy)
  if (returnTo !== undefined) query.set('returnTo', returnTo)
  return redirectAnswer(`${page}${page.includes('?') ? '&' : '?'}${query}`, cookies)
}

/**
 * Whether a POST of our own page may bring what this navigation lacks: a token to replace one that has expired, or cookies
 * that the browser withheld because the link was somebody else's. Once: the answer to that POST leaves a mark.
 */
function canBounce({ kit, source }: Exchange, refused: HttpRefused): boolean {
  if (oneCookie(source, kit.cookies.bounce) !== undefined) return false
  const { refresh } = kit.sessions
  if (refused.remedy === 'refresh') return refresh !== undefined
  if (refused.reason !== 'missing') return false
  // What came along is not what was asked for: the refresh cookie alone, as with the delivery `browser`.
  if (carriesCookies(source, kit.cookies)) return refresh !== undefined
  const isHidden = refresh !== undefined || kit.cookies.accessSameSite === 'Strict'
  return isHidden && mayHideStrictCookies(source)
}

function bounce({ kit }: Exchange, returnTo: string): Answer {
  const body = bounceDocument(`${kit.basePath}/refresh`, `${kit.basePath}/bounce.js`, returnTo)
  return {
    status: 401,
    headers: { ...BOUNCE_HEADERS, 'www-authenticate': 'Bearer realm="countersign"' },
    cookies: [],
    body,
  }
}

/** Path of a request target, without the query. */
export function pathOf(target: string): string {
  const at = target.indexOf('?')
  return at < 0 ? target : target.slice(0, at)
}
