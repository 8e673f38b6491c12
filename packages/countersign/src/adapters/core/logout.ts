import { readBearer } from '../../http/bearer.ts'
import { carriesCookies, carriesFormer } from '../../http/cookies.ts'
import { FORM_FIELD } from '../../http/form-token.ts'
import { allTokens, sessionsToEnd } from '../../http/sessions-behind.ts'
import { expireEveryCookie } from '../../http/set-cookie.ts'
import type { SessionId } from '../../session/ids.ts'
import type { Ended } from '../../session/types.ts'
import { type Answer, emptyAnswer, jsonAnswer, problemAnswer, redirectAnswer, withHeaders } from './answer.ts'
import { isFormOfPage, readFields, textField } from './body.ts'
import type { Exchange } from './exchange.ts'
import { admit, admitTo } from './forgery.ts'
import { formerOf } from './login.ts'
import { answerRefusal } from './refusal.ts'

/**
 * `POST <basePath>/logout`: ends the session of every credential that is genuine, access token or refresh token, and empties
 * the browser. Needs no recent login, and an access token that has just expired does not matter when the refresh token
 * is there. A session that is over already is answered like one that was not.
 */
export async function logout(exchange: Exchange): Promise<Answer> {
  const { kit, source } = exchange
  const read = await readFields(source)
  if (!read.ok) return problemAnswer(read.problem)
  const { fields, isForm } = read
  const refreshToken = textField(fields, 'refreshToken')
  const bearer = refreshToken !== undefined || usesHeader(exchange)
  const formToken = textField(fields, FORM_FIELD)
  const refused = await admit(exchange, { bearer, formToken })
  if (refused) return answerRefusal(exchange, refused)

  const named = await sessionsToEnd({ explain: kit.sessions.explain! }, source, { names: kit.cookies, refreshToken })
  const page = isFormOfPage(source, isForm) ? (kit.loginPage ?? kit.homePage) : undefined
  if (!named.ok) {
    // The one route where a refusal clears cookies: they were to go, and they are of no use.
    if (page !== undefined) return emptied(exchange, redirectAnswer(page))
    return emptied(exchange, answerRefusal(exchange, named))
  }
  const unproven = await admitTo(exchange, named.ids, formToken)
  if (unproven) return answerRefusal(exchange, unproven)
  const done = await endAll(exchange, named.ids)
  if (page !== undefined) return emptied(exchange, redirectAnswer(page))
  // This process refuses it from now on, and goes on asking the store: accepted, and not done.
  return emptied(exchange, done ? jsonAnswer({ ...done }, [], 202) : emptyAnswer(204))
}

/** Ends the session of this request for an application that answers itself. */
export async function signOut(exchange: Exchange, to?: string): Promise<Answer> {
  const { source, kit } = exchange
  await endAll(exchange, await formerOf(exchange, allTokens(source, kit.cookies)))
  return emptied(exchange, to === undefined ? emptyAnswer(204) : redirectAnswer(to))
}

/** @returns The answer that says that the store did not take one of them. */
async function endAll(exchange: Exchange, ids: ReadonlySet<SessionId>): Promise<Ended | undefined> {
  let queued: Ended | undefined
  for (const id of ids) {
    const done = await exchange.kit.sessions.revoke!(id, { reason: 'logout', context: exchange.context() })
    if (done.durability === 'queued') queued = done
  }
  exchange.session = undefined
  return queued
}

function usesHeader(exchange: Exchange): boolean {
  const bearer = readBearer(exchange.source)
  // A malformed one is let through to the answer that says what is wrong with it.
  return !bearer.ok || bearer.token !== undefined
}

/** Takes everything back from a browser that it was given (ASVS 14.3.1). */
function emptied({ kit, source }: Exchange, answer: Answer): Answer {
  const isThere = carriesCookies(source, kit.cookies) || carriesFormer(source, kit.cookies)
  const clear: Record<string, string> = kit.clearSiteData === '' ? {} : { 'clear-site-data': kit.clearSiteData }
  return { ...withHeaders(answer, clear), cookies: isThere ? expireEveryCookie(kit.cookies) : answer.cookies }
}
