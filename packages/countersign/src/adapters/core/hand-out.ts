import { handOut } from '../../http/deliver.ts'
import { setPlainCookie } from '../../http/set-cookie.ts'
import { type Answer, jsonAnswer, redirectAnswer } from './answer.ts'
import type { Exchange } from './exchange.ts'

/**
 * The answer of login, refresh and reauth: `{ session, expiresIn, accessToken?, refreshToken?, durability?, replicas? }`, or for a
 * form the page where it leads. The last two where the application asked for replicas.
 *
 * @param how.opens - It opens a session: cookies that belong to no session any more are expired.
 * @param how.bounced - It answers the bounce document, which then is not tried again.
 */
export function handedOut(
  exchange: Exchange,
  issued: any,
  how: { readonly opens?: boolean; readonly bounced?: boolean; readonly to?: string | undefined },
): Answer {
  const { kit, source } = exchange
  const { cookies, body } = handOut(issued, {
    names: kit.cookies,
    nowMs: kit.nowMs(),
    ...(how.opens && { request: source }),
  })
  exchange.session = issued.session
  // What came before a login does not survive it: its form tokens are good for nobody any more.
  const form =
    how.opens && source.cookie?.includes(kit.cookies.form) ? [setPlainCookie('form', '', kit.cookies, 0)] : []
  const bounce = how.bounced ? [bounceMark(exchange)] : []
  const all = [...cookies, ...form, ...bounce]
  if (how.to !== undefined) return redirectAnswer(how.to, all)
  const { sessionId, subject, roles, expiresAtMs } = issued.session
  const session = { id: sessionId, subject, roles, expiresAt: new Date(expiresAtMs).toISOString() }
  const { durability, replicas } = issued
  return jsonAnswer({ session, ...body, ...(replicas !== undefined && { durability, replicas }) }, all)
}

/** For the answer to the bounce document: says that it has been tried. */
export function bounceMark({ kit }: Exchange): string {
  return setPlainCookie('bounce', '1', kit.cookies, BOUNCE_SECONDS)
}

/** How long a second bounce is not tried. Long enough for the page to come, short enough not to be met by the next renewal. */
const BOUNCE_SECONDS = 15
