import { readBearer } from '../../http/bearer.ts'
import { allCookies, carriesCookies, carriesFormer } from '../../http/cookies.ts'
import { type Credentials, findCredentials } from '../../http/credentials.ts'
import { FORM_FIELD } from '../../http/form-token.ts'
import type { HttpRefused } from '../../http/refusals.ts'
import { expireEveryCookie } from '../../http/set-cookie.ts'
import type { SessionId } from '../../session/ids.ts'
import { type Refused, refuse } from '../../session/reasons.ts'
import type { Ended, Explanation } from '../../session/types.ts'
import { type Answer, emptyAnswer, jsonAnswer, problemAnswer, redirectAnswer, withHeaders } from './answer.ts'
import { isFormOfPage, readFields, textField } from './body.ts'
import type { Exchange } from './exchange.ts'
import { admit, isOriginUnknown } from './forgery.ts'
import { sessionsBehind, UNPROVEN } from './login.ts'
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
  const refused = admit(exchange, { bearer, formToken: textField(fields, FORM_FIELD) })
  if (refused) return answerRefusal(exchange, refused)

  const credentials = findCredentials(source, {
    names: kit.cookies,
    ...(refreshToken !== undefined && { refreshToken }),
  })
  const named = credentials.ok ? await sessionsOf(exchange, credentials) : await sessionsOfAll(exchange, credentials)
  const page = isFormOfPage(source, isForm) ? (kit.loginPage ?? kit.homePage) : undefined
  if (!named.ok) {
    // The one route where a refusal clears cookies: they were to go, and they are of no use.
    if (page !== undefined) return emptied(exchange, redirectAnswer(page))
    return emptied(exchange, answerRefusal(exchange, named))
  }
  if (isOriginUnknown(exchange) && textField(fields, FORM_FIELD) === undefined) {
    for (const id of named.ids) {
      const found = await kit.sessions.get?.(id)
      if (found?.ok && found.session.delivery !== 'bearer') return answerRefusal(exchange, UNPROVEN)
    }
  }
  const done = await endAll(exchange, named.ids)
  if (page !== undefined) return emptied(exchange, redirectAnswer(page))
  // This process refuses it from now on, and goes on asking the store: accepted, and not done.
  return emptied(exchange, done ? jsonAnswer({ ...done }, [], 202) : emptyAnswer(204))
}

/** Ends the session of this request for an application that answers itself. */
export async function signOut(exchange: Exchange, to?: string): Promise<Answer> {
  const { source, kit } = exchange
  const bearer = readBearer(source)
  const tokens = [...(bearer.ok && bearer.token ? [bearer.token] : []), ...allCookies(source, kit.cookies)]
  await endAll(exchange, await sessionsBehind(exchange, tokens))
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

/**
 * The request is wrong: one credential came twice, or two cookies have one name. To log out is still what it asks for,
 * and emptying the browser while a session lives on would be the worst answer, so whatever is genuine in it is ended.
 */
async function sessionsOfAll(exchange: Exchange, refused: HttpRefused) {
  const { source, kit } = exchange
  const bearer = readBearer(source)
  const tokens = [...(bearer.ok && bearer.token ? [bearer.token] : []), ...allCookies(source, kit.cookies)]
  const ids = await sessionsBehind(exchange, tokens)
  return ids.size > 0 ? ({ ok: true, ids } as const) : refused
}

const ACCESS: ReadonlySet<Explanation['kind']> = new Set(['access_token', 'opaque_token'])
const REFRESH: ReadonlySet<Explanation['kind']> = new Set(['refresh_token'])

/** The sessions that the credentials belong to, or the first refusal when none of them is genuine. */
async function sessionsOf(
  { kit }: Exchange,
  credentials: Credentials,
): Promise<{ readonly ok: true; readonly ids: ReadonlySet<SessionId> } | HttpRefused> {
  const ids = new Set<SessionId>()
  let refused: Refused | undefined
  for (const [credential, kinds] of [[credentials.access, ACCESS] as const, [credentials.refresh, REFRESH] as const]) {
    if (!credential) continue
    const { kind, sessionId, refusal } = await kit.sessions.explain!(credential.token)
    if (kinds.has(kind) && sessionId !== undefined) ids.add(sessionId)
    // A session id is not a credential, and a token of one kind is not one of the other.
    else refused ??= (kinds.has(kind) && refusal) || refuse('malformed')
  }
  return ids.size > 0 ? { ok: true, ids } : (refused ?? refuse('missing'))
}
