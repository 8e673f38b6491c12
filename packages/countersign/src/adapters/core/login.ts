import { allCookies } from '../../http/cookies.ts'
import { FORM_FIELD } from '../../http/form-token.ts'
import { problem } from '../../http/problem.ts'
import { returnPath } from '../../http/return-path.ts'
import { sessionsBehind } from '../../http/sessions-behind.ts'
import type { SessionId } from '../../session/ids.ts'
import type { Delivery, Device } from '../../session/record.ts'
import { type Answer, problemAnswer, redirectAnswer } from './answer.ts'
import { type Fields, isFormOfPage, readFields, textField } from './body.ts'
import type { Exchange } from './exchange.ts'
import { admit, admitTo } from './forgery.ts'
import { handedOut } from './hand-out.ts'
import { answerRefusal, toPage } from './refusal.ts'
import type { ProofRefused, Wish } from './types.ts'

/** Members of a login that say how, and not who. */
const DELIVERIES: readonly unknown[] = ['cookie', 'browser', 'bearer'] satisfies Delivery[]

/** `POST <basePath>/login`: a proof to a session. The session that this browser had ends with it, whoever's it was (ASVS 7.2.4). */
export async function login(exchange: Exchange): Promise<Answer> {
  const { kit, source } = exchange
  const read = await readFields(source)
  if (!read.ok) return problemAnswer(read.problem)
  const { fields, isForm } = read
  const wish = readWish(fields)
  if (typeof wish === 'string') return problemAnswer(problem(400, 'invalid_request', { detail: wish }))
  const refused = await admit(exchange, {
    bearer: wish.delivery === 'bearer',
    formToken: textField(fields, FORM_FIELD),
  })
  if (refused) return answerRefusal(exchange, refused)
  if (wish.delivery === 'browser' && kit.sessions.refresh === undefined) {
    const detail = '"delivery": "browser" needs a refresh token, which this strategy does not have'
    return problemAnswer(problem(400, 'invalid_request', { detail }))
  }
  const attempt = { fields, context: exchange.context() }
  const to = isFormOfPage(source, isForm) ? (returnPath(fields.returnTo) ?? kit.homePage) : undefined
  for (let again = false; ; again = true) {
    const proof = await kit.authenticate!(attempt)
    if (!proof.ok) return refusedProof(exchange, proof, to, fields)
    const { ok: _, epoch, ...who } = proof
    const ifEpoch = epoch === undefined ? {} : { ifEpoch: epoch }
    const issued = await open(exchange, { ...who, ...ifEpoch, ...wish })
    if (issued.ok) return deliverOrEnd(exchange, issued, { opens: true, to })
    // A ban, a role change or a failover happened during the proof: look again, once.
    if (issued.reason === 'stale_epoch' && !again) continue
    return to === undefined || kit.loginPage === undefined
      ? answerRefusal(exchange, issued)
      : toPage(kit.loginPage, issued, to)
  }
}

/**
 * Opens a session for somebody who has proved who they are by other means: a provider, a passkey, a link.
 *
 * @param to - A path of ours to send the browser to. Absent: the answer is JSON.
 * @throws CountersignError what `issue` throws; `ERR_INPUT_INVALID` when `to` is no path of ours.
 */
export async function signIn(exchange: Exchange, input: object, to?: string): Promise<Answer> {
  const issued = await open(exchange, input)
  return issued.ok ? deliverOrEnd(exchange, issued, { opens: true, to }) : answerRefusal(exchange, issued)
}

async function open(exchange: Exchange, input: object): Promise<any> {
  const { kit, source } = exchange
  const context = exchange.context()
  for (const id of await formerOf(exchange, allCookies(source, kit.cookies))) {
    await kit.sessions.revoke!(id, { reason: 'logout', context })
  }
  return kit.sessions.issue!({ ...input, context })
}

/** A session whose cookies cannot be written is nobody's. */
async function deliverOrEnd(exchange: Exchange, issued: any, how: Parameters<typeof handedOut>[2]): Promise<Answer> {
  try {
    return handedOut(exchange, issued, how)
  } catch (error) {
    await exchange.kit.sessions.revoke?.(issued.session.sessionId, { reason: 'logout' })
    throw error
  }
}

/** The sessions that genuine tokens belong to; none where sessions cannot be ended anyway. */
export async function formerOf({ kit }: Exchange, tokens: readonly string[]): Promise<ReadonlySet<SessionId>> {
  const { explain, revoke } = kit.sessions
  return explain && revoke ? sessionsBehind({ explain }, tokens) : new Set()
}

/** `POST <basePath>/reauth`: the same person proves it once more. A new session id, fresh secrets, a fresh authentication time. */
export async function reauth(exchange: Exchange): Promise<Answer> {
  const { kit, source } = exchange
  const read = await readFields(source)
  if (!read.ok) return problemAnswer(read.problem)
  const { fields, isForm } = read
  const checked = await exchange.checkWith({})
  if (!checked.ok) return answerRefusal(exchange, checked)
  const { session } = exchange
  const formToken = textField(fields, FORM_FIELD)
  const refused =
    (await admit(exchange, { bearer: exchange.from === 'header', formToken })) ??
    (await admitTo(exchange, [session.sessionId], formToken))
  if (refused) return answerRefusal(exchange, refused)
  const context = exchange.context()
  const proof = await kit.reauthenticate!({ fields, context, session })
  const to = isFormOfPage(source, isForm) ? (returnPath(fields.returnTo) ?? kit.homePage) : undefined
  if (!proof.ok) return refusedProof(exchange, proof, to, fields, kit.reauthPage)
  const issued = await kit.sessions.stepUp!(session.sessionId, { acr: proof.acr, amr: proof.amr }, { context })
  if (!issued.ok) return answerRefusal(exchange, issued)
  return deliverOrEnd(exchange, issued, { to })
}

function refusedProof(
  exchange: Exchange,
  { reason, status = reason === 'blocked' ? 403 : 401 }: ProofRefused,
  to: string | undefined,
  fields: Fields,
  page = exchange.kit.loginPage,
): Answer {
  if (to !== undefined && page !== undefined) {
    const query = new URLSearchParams({ reason })
    const back = returnPath(fields.returnTo)
    if (back !== undefined) query.set('returnTo', back)
    return redirectAnswer(`${page}${page.includes('?') ? '&' : '?'}${query}`)
  }
  const title = reason === 'bad_credentials' ? 'This is not right' : undefined
  const remedy = status === 401 ? 'sign_in' : 'none'
  // RFC 9110 section 15.5.2: a 401 always has a challenge.
  const asks: Record<string, string> = status === 401 ? { 'www-authenticate': 'Bearer realm="countersign"' } : {}
  return problemAnswer(problem(status, reason, { ...(title && { title }), reason, remedy }, asks))
}

/** How the session is wanted, or what is wrong with that. A form has text where JSON has a boolean. */
function readWish(fields: Fields): Wish | string {
  const { delivery = 'cookie', persistent = false, device } = fields
  if (!DELIVERIES.includes(delivery)) return 'delivery must be "cookie", "browser" or "bearer"'
  const stays = persistent === true || persistent === 'true' || persistent === 'on'
  if (!stays && persistent !== false && persistent !== 'false') return 'persistent must be true or false'
  if (device !== undefined && (typeof device !== 'object' || device === null)) return 'device must be an object'
  return {
    delivery: delivery as Delivery,
    persistent: stays,
    ...(device !== undefined && { device: device as Device }),
  }
}
