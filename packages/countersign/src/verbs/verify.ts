import { equalBytes, sha256 } from '../internal/bytes.ts'
import type { SessionId } from '../session/ids.ts'
import { type EndReason, type Refused, refuse } from '../session/reasons.ts'
import type { Checked, Principal, Session, VerifyOptions } from '../session/types.ts'
import { sessionOf } from '../session/view.ts'
import type { Floor } from '../stores/contract.ts'
import { type AccessClaims, readAccessToken } from '../tokens/access-token.ts'
import { principalOf } from '../tokens/claims.ts'
import { readMacToken } from '../tokens/mac-token.ts'
import { tagOfId } from '../tokens/session-id.ts'
import { checkByRecord, type RecordSide, seen } from './check-record.ts'
import { type Core, tell, windowOf } from './core.ts'
import { judgeDemands, judgeEnd, judgeGone, judgeRecord } from './judge.ts'

type Check = (core: Core, token: string, demands: VerifyOptions, about: About) => Promise<Checked<Principal>>

/** Filled in as soon as the MAC or signature was found right, so that the audit of a refusal can say whose token it was. */
export interface About {
  id?: SessionId
  subject?: string
  tenant?: string
}

/** How each strategy checks a token, cheapest step first: a token that fails one never reaches the next. */
export const CHECKS: Readonly<Record<Core['strategy']['name'], Check>> = {
  opaque: checkOpaque,
  allowlist: checkAllowlist,
  denylist: checkDenylist,
  stateless: async (core, token, demands, about) => checkStateless(core, token, demands, about),
}

/** `Verifier.verify`. */
export async function verify(core: Core, token: string, demands: VerifyOptions): Promise<Checked<Principal>> {
  if (token === '' || typeof token !== 'string') return refuse('missing')
  demands.signal?.throwIfAborted()
  await core.ready()
  const about: About = {}
  const checked = await CHECKS[core.strategy.name](core, token, demands, about)
  if (checked.ok) return checked
  const refused = remedied(core, checked)
  tell(core, { type: 'session_refused', reason: refused.reason }, about, demands.context)
  return refused
}

/** `Verifier.verifyNow`: only `stateless` can answer without asking anybody. */
export function verifyNow(core: Core, token: string, demands: VerifyOptions): Checked<Principal> | undefined {
  if (core.strategy.name !== 'stateless' || token === '' || demands.fresh) return undefined
  const checked = checkStateless(core, token, demands, {})
  return checked.ok ? checked : remedied(core, checked)
}

async function checkOpaque(
  core: Core,
  text: string,
  demands: VerifyOptions,
  about: About,
): Promise<Checked<Session<any>>> {
  const token = readMacToken('cso_', text, core.keys)
  if (!token.ok) return refuse(token.reason)
  about.id = token.sessionId
  const [found, floor] = await Promise.all([core.sessions.read(token.sessionId), core.floor.fresh()])
  if (found.is !== 'live') return judgeGone(found)
  const { record } = found
  about.subject = record.subject
  if (record.tenant !== undefined) about.tenant = record.tenant
  const nowMs = core.nowMs()
  if (!equalBytes(sha256(token.secret), record.hash)) return refuse('rolled_back')
  const refused = judgeRecord(record, floor, nowMs)
  if (refused) return refused
  const session = sessionOf(await core.data.current(record), core.data)
  return judgeDemands(core, session, demands, nowMs) ?? seen(recordSide(core), record, session, undefined, nowMs)
}

async function checkAllowlist(
  core: Core,
  text: string,
  demands: VerifyOptions,
  about: About,
): Promise<Checked<Session<any>>> {
  const token = readOwnToken(core, text, about)
  if (!token.ok) return token
  const { claims } = token
  return checkByRecord(recordSide(core), claims, demands)
}

async function checkDenylist(
  core: Core,
  text: string,
  demands: VerifyOptions,
  about: About,
): Promise<Checked<Principal>> {
  const token = readOwnToken(core, text, about)
  if (!token.ok) return token
  const { claims } = token
  if (claims.stamp === undefined) return refuse('claim_mismatch')
  const [kept, floor] = await Promise.all([core.revocations.read(tagOfId(claims.sid)), core.floor.fresh()])
  const nowMs = core.nowMs()
  const refused =
    judgeStamp(claims.stamp, floor) ??
    // Every token that has not expired has a record. None there means that the store lost it.
    (kept.is === 'lost' ? refuse('rolled_back') : undefined)
  if (refused) return refused
  if (kept.is === 'lost' || kept.subject !== claims.sub || kept.tenant !== claims.tenant) return refuse('unknown')
  const endedBy: EndReason | undefined = kept.sids.get(claims.sid)
  if (endedBy !== undefined) return judgeGone({ is: 'ended', tombstone: tombstoneOf(claims.sid, endedBy) })
  if (kept.jtis.has(claims.jti)) return refuse('ended')
  if (claims.stamp <= kept.notBefore) return refuse('superseded')
  const principal = principalOf(claims)
  return judgeDemands(core, principal, demands, nowMs) ?? { ok: true, session: principal }
}

function judgeStamp(stamp: number, floor: Floor): Refused | undefined {
  return stamp <= floor.notBeforeMs ? judgeEnd(floor.why) : undefined
}

function tombstoneOf(id: SessionId, why: EndReason) {
  return { id, why, endedAtMs: 0, keepUntilMs: 0 }
}

function checkStateless(core: Core, text: string, demands: VerifyOptions, about: About): Checked<Principal> {
  const token = readOwnToken(core, text, about)
  if (!token.ok) return token
  const principal = principalOf(token.claims)
  return judgeDemands(core, principal, demands, core.nowMs()) ?? { ok: true, session: principal }
}

/** Structure, signature, claims, and that the token was meant for one of our audiences. */
function readOwnToken(
  core: Core,
  text: string,
  about: About,
): { readonly ok: true; readonly claims: AccessClaims } | Refused {
  const token = readAccessToken(text, core.keys, core.options.issuer, core.nowMs(), core.options.sealed)
  if (!token.ok) return refuse(token.reason)
  about.id = token.claims.sid
  about.subject = token.claims.sub
  if (token.claims.tenant !== undefined) about.tenant = token.claims.tenant
  const meant = token.claims.aud.some((audience) => core.options.audience.includes(audience))
  return meant ? token : refuse('claim_mismatch')
}

/** The verbs' view of what a check by record needs. */
function recordSide(core: Core): RecordSide {
  return {
    sessions: core.sessions,
    floor: core.floor,
    data: core.data,
    acrLevels: core.acrLevels,
    background: core.background,
    nowMs: core.nowMs,
    windowOf: (record) => windowOf(core, record),
    renews: core.strategy.renews,
  }
}

/** Where there is no refresh token, what a refresh would mend needs a new login. */
export function remedied(core: Core, refused: Refused): Refused {
  return refused.remedy === 'refresh' && !core.strategy.renews ? { ...refused, remedy: 'sign_in' } : refused
}
