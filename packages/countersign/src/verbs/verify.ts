import type { Answer as Before, Standing } from '../cache/known-tokens.ts'
import type { Reading } from '../cache/reads.ts'
import { isAway } from '../durable/operations.ts'
import { equalBytes } from '../internal/bytes.ts'
import { tagOfId } from '../session/ids.ts'
import { type EndReason, type Refused, refuse } from '../session/reasons.ts'
import type { Checked, Degraded, OutagePolicy, Principal, VerifyOptions } from '../session/types.ts'
import { sessionOf } from '../session/view.ts'
import type { Floor, Found, LastRead, Revocations } from '../stores/contract.ts'
import { note, type RecordSide, standByAccess, standingOf, type Use, underOurSchema } from './check-record.ts'
import { type Core, tell, windowOf } from './core.ts'
import { judgeDemands, judgeEnd, judgeGone, judgeRecord } from './judge.ts'
import { checkOutage, recall } from './outage.ts'
import { type About, openToken, type Proof, tellOf } from './proofs.ts'

/** `Verifier.verify`. */
export function verify(
  core: Core,
  token: string,
  demands: VerifyOptions & { outage?: OutagePolicy },
): Promise<Checked<Principal> | Degraded> {
  // Not async: where the store is asked, that has a promise already.
  try {
    if (token === '' || typeof token !== 'string') return Promise.resolve(refuse('missing'))
    demands.signal?.throwIfAborted()
    // Also where the store is not asked, so that a wrong value does not come to light in an outage.
    const withinMs = demands.outage === undefined ? undefined : checkOutage(demands.outage)
    const hit = checkCopy(core, token, demands)
    if (hit !== undefined) return Promise.resolve(hit)
    return withinMs === undefined ? checkToken(core, token, demands) : askOrRecall(core, token, demands, withinMs)
  } catch (error) {
    return Promise.reject(error)
  }
}

async function askOrRecall(
  core: Core,
  token: string,
  { outage: _, ...demands }: VerifyOptions & { outage?: OutagePolicy },
  withinMs: number,
): Promise<Checked<Principal> | Degraded> {
  core.near.lately.switchOn()
  try {
    return await verify(core, token, demands)
  } catch (error) {
    if (!isAway(error)) throw error
    const about: About = {}
    const recalled = recall(core, token, demands, { withinMs, fault: error }, about)
    return recalled.ok ? recalled : refused(core, recalled, about, demands)
  }
}

/**
 * `Verifier.verifyNow`: `stateless` from the token alone; the others from a copy of what the store said, as long as that
 * is certain to be young enough.
 */
export function verifyNow(core: Core, token: string, demands: VerifyOptions): Checked<Principal> | undefined {
  if (token === '' || typeof token !== 'string' || demands.fresh) return undefined
  if (core.strategy.name !== 'stateless') return checkCopy(core, token, demands)
  const about: About = {}
  const checked = checkStateless(core, token, demands, about)
  return checked.ok ? checked : refused(core, checked, about, demands)
}

/** The path of nearly every request. What it costs is measured in `bench/near`. */
function checkCopy(core: Core, token: string, demands: VerifyOptions): Checked<Principal> | undefined {
  if (demands.fresh) return undefined
  const nowMs = core.nowMs()
  const copy = core.near.hit(token, nowMs)
  if (copy === undefined) return undefined
  const { accepted } = copy
  const refusal = judgeDemands(core, accepted.session, demands, nowMs)
  if (refusal !== undefined) {
    const { subject, tenant } = accepted.session
    return refused(core, refusal, { id: copy.id, subject, ...(tenant !== undefined && { tenant }) }, demands)
  }
  if (nowMs > copy.dueMs) note(core, copy, nowMs)
  return accepted
}

/** Where there is no refresh token, what a refresh would mend needs a new login. */
export function remedied(core: Core, refused: Refused): Refused {
  return refused.remedy === 'refresh' && !core.strategy.renews ? { ...refused, remedy: 'sign_in' } : refused
}

function refused(core: Core, refusal: Refused, about: About, demands: VerifyOptions): Refused {
  const answer = remedied(core, refusal)
  tell(core, { type: 'session_refused', reason: answer.reason }, about, demands.context)
  return answer
}

/** Checks a token, cheapest step first: one that fails a step never reaches the next. */
export async function checkToken(core: Core, text: string, demands: VerifyOptions): Promise<Checked<Principal>> {
  if (!core.isReady) await core.ready()
  const about: About = {}
  if (core.strategy.name === 'stateless') {
    const checked = checkStateless(core, text, demands, about)
    return checked.ok ? checked : refused(core, checked, about, demands)
  }
  const { near } = core
  const { keysVersion, lately } = near
  const opened = openToken(core, text, about)
  if (!opened.ok) return refused(core, opened, about, demands)
  const { proof } = opened
  const asking = lately.begin(tagOfId(proof.id))
  const reading = demands.fresh ? undefined : read(core, proof)
  const before = opened.known?.answer
  // Only for a token that came before: of most that come once nothing has to be kept.
  const last: LastRead | undefined = reading || !opened.known ? undefined : (before ?? {})
  try {
    const asked = reading ? reading.answer() : ask(core, proof, last)
    // Of the two questions the second hardly ever has to be asked.
    let floor = core.floor.now()
    let found: Answer
    if (floor) found = await asked
    else [found, floor] = await Promise.all([asked, core.floor.fresh()])
    const nowMs = core.nowMs()
    let standing =
      before !== undefined && found === before.of
        ? standAgain(before, floor, nowMs)
        : stand(core, proof, found, floor, nowMs)
    const isOlder = reading !== undefined && 'ok' in standing && standing.reason === 'rolled_back'
    // A read that was shared may have been asked before this token was made, by a refresh in another process: what is
    // older than the token says nothing of the store. A read of its own does.
    if (isOlder) {
      found = await ask(core, proof)
      standing = stand(core, proof, found, floor, nowMs)
    }
    const renewed = 'ok' in standing ? undefined : underOurSchema(core, found as Found)
    if (renewed) standing = stand(core, proof, await renewed, floor, nowMs)
    if ('ok' in standing) {
      // Whoever asked before the others knows better than their copies.
      if (core.strategy.name === 'denylist') near.revocationsChanged(tagOfId(proof.id))
      else near.sessionChanged(proof.id)
      if (opened.known) near.keepAnswer(opened.known, undefined, nowMs)
      tellWhose(proof, found, about)
      return refused(core, standing, about, demands)
    }
    const known = opened.known ?? near.remember(text, opened, keysVersion, nowMs)
    if (known && reading && !isOlder) near.keep(known, standing, reading, nowMs)
    if (known && last && found !== before?.of) {
      const answer = found === last.found ? { ...last, found, of: found, standing } : undefined
      near.keepAnswer(known, answer, nowMs)
    }
    if (known && asking) lately.confirmed(known.token, standing, asking, isOlder ? undefined : reading)
    const refusal = judgeDemands(core, standing.session, demands, nowMs)
    if (refusal) {
      tellWhose(proof, found, about)
      return refused(core, refusal, about, demands)
    }
    note(core, standing, nowMs)
    return { ok: true, session: standing.session }
  } finally {
    reading?.end()
    if (asking) lately.end(asking)
  }
}

type Answer = Found | Revocations | { readonly is: 'lost' }

function read(core: Core, proof: Proof): Reading<Answer> | undefined {
  return core.strategy.name === 'denylist'
    ? core.near.readRevocations(tagOfId(proof.id))
    : core.near.readSession(proof.id)
}

function ask(core: Core, proof: Proof, last?: LastRead): Promise<Answer> {
  return core.strategy.name === 'denylist'
    ? core.revocations.read(tagOfId(proof.id))
    : core.sessions.read(proof.id, last)
}

/** An opaque token says nothing of whose it is; a signed one has said it, and only it is proven. */
function tellWhose(proof: Proof, found: Answer, about: About): void {
  if (proof.subject === undefined && found.is === 'live') tellOf(found.record, about)
}

/**
 * What the store's answer makes of a token when it is the same that it was before: only the times can differ. The record is
 * not fetched from memory unless one of them does.
 */
function standAgain({ of, standing }: Before<Use>, floor: Floor, nowMs: number): Standing<Use> | Refused {
  if (floor.notBeforeMs < standing.bornMs && nowMs < standing.overMs) return standing
  return (of.is === 'live' && judgeRecord(of.record, floor, nowMs)) || standing
}

/** What the store's answer makes of a token. Nothing in it depends on the call. */
function stand(core: Core, proof: Proof, answer: Answer, floor: Floor, nowMs: number): Standing<Use> | Refused {
  switch (core.strategy.name) {
    case 'opaque':
      return standByRecord(core, proof, answer as Found, floor, nowMs)
    case 'denylist':
      return standByRevocations(proof, answer as Exclude<Answer, Found>, floor)
    default:
      return standByAccess(recordSide(core), proof, proof.access!, answer as Found, floor, nowMs)
  }
}

function standByRecord(core: Core, proof: Proof, found: Found, floor: Floor, nowMs: number): Standing<Use> | Refused {
  if (found.is !== 'live') return judgeGone(found)
  const { record } = found
  if (!equalBytes(proof.hash!, record.hash)) return refuse('rolled_back')
  const refusal = judgeRecord(record, floor, nowMs)
  return refusal ?? standingOf(recordSide(core), record, sessionOf(record, core.data), undefined)
}

function standByRevocations(
  { id, subject, tenant, jti, stamp, principal }: Proof,
  kept: Revocations | { readonly is: 'lost' },
  floor: Floor,
): Standing<Use> | Refused {
  if (stamp! <= floor.notBeforeMs) return judgeEnd(floor.why)
  // Every token that has not expired has a record. None there means that the store lost it.
  if (kept.is === 'lost') return refuse('rolled_back')
  if (kept.subject !== subject || kept.tenant !== tenant) return refuse('unknown')
  const endedBy: EndReason | undefined = kept.sids.get(id)
  if (endedBy !== undefined) return judgeEnd(endedBy)
  if (kept.jtis.has(jti!)) return refuse('ended')
  if (stamp! <= kept.notBefore) return refuse('superseded')
  return {
    id,
    session: principal!,
    bornMs: stamp!,
    overMs: Number.POSITIVE_INFINITY,
    dueMs: Number.POSITIVE_INFINITY,
    use: undefined,
    bytes: COPY_BYTES,
  }
}

/** Heap of a copy of what is part of the proof anyway: measured, see `bench/near/heap.ts`. */
const COPY_BYTES = 400

function checkStateless(core: Core, text: string, demands: VerifyOptions, about: About): Checked<Principal> {
  const { keysVersion } = core.near
  const opened = openToken(core, text, about)
  if (!opened.ok) return opened
  const nowMs = core.nowMs()
  core.near.remember(text, opened, keysVersion, nowMs)
  const session = opened.proof.principal!
  return judgeDemands(core, session, demands, nowMs) ?? { ok: true, session }
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
