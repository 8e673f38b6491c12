import { type Done, isAway, type Operation } from '../durable/operations.ts'
import { invalidInput } from '../internal/errors.ts'
import { type SessionId, type Subject, tagOfId } from '../session/ids.ts'
import { checkObject, checkReason, checkRoles, checkText } from '../session/input.ts'
import type { EndReason } from '../session/reasons.ts'
import { MAX_LEEWAY_MS } from '../session/record.ts'
import type { Context, Ended, WhenAway } from '../session/types.ts'
import { checkSessionId } from './check-id.ts'
import { type Core, refOf } from './core.ts'
import { epochFor } from './epoch.ts'
import { floorSeenAtMs } from './report-revocation.ts'

type How = WhenAway & { readonly context?: Context }

const QUEUED: Ended = Object.freeze({ ended: 0, effectiveAtMs: null, durability: 'queued' })

/** The answer for what the store has done. Seen at once, except where tokens are checked without asking anybody. */
function endedBy(core: Core, { ids, epoch, by, durability, replicas }: Done, nowMs: number): Ended {
  const untilExp = core.strategy.name === 'stateless' ? core.options.accessMs : 0
  return {
    ended: ids.length,
    effectiveAtMs: nowMs + untilExp,
    durability,
    ...(replicas !== undefined && { replicas }),
    ...(epoch !== undefined && { epoch: epochFor(epoch, by) }),
  }
}

function checkHow(options: object): How {
  const { whenAway, context } = checkObject(options, 'options') as How
  if (whenAway !== undefined && whenAway !== 'queue' && whenAway !== 'throw')
    throw invalidInput('whenAway', "must be 'queue' or 'throw'")
  return { ...(whenAway && { whenAway }), ...(context && { context }) }
}

async function revokeBy(core: Core, operation: Operation, { whenAway, context }: How): Promise<Ended> {
  const nowMs = core.nowMs()
  const done = await core.revoker.revoke(operation, whenAway, context)
  return done === 'queued' ? QUEUED : endedBy(core, done, nowMs)
}

/** `Records.revoke`. */
export async function revoke(
  core: Core,
  id: SessionId,
  options: { reason: EndReason; jti?: string; context?: Context } & WhenAway,
): Promise<Ended> {
  checkSessionId(id)
  const how = checkHow(options)
  const why = checkReason(options.reason)
  await core.ready()
  if (options.jti !== undefined) return denyToken(core, id, checkText(options.jti, 'jti', 128), why, how)
  return revokeBy(core, { is: 'session', id, why, stamped: core.strategy.name === 'denylist' }, how)
}

/** Refuses one access token and leaves the session: its holder refreshes, or is asked to log in. */
async function denyToken(core: Core, id: SessionId, jti: string, why: EndReason, how: How): Promise<Ended> {
  if (core.strategy.name !== 'denylist') throw invalidInput('jti', 'is for the strategy denylist')
  const found = await core.sessions.read(id)
  if (found.is !== 'live') return { ended: 0, effectiveAtMs: core.nowMs(), durability: 'none' }
  const { subject: name, tenant, lastExpMs } = found.record
  const subject = { tag: tagOfId(id), subject: name, ...(tenant !== undefined && { tenant }) }
  const untilMs = lastExpMs + MAX_LEEWAY_MS
  const { epoch: _, ...done } = await revokeBy(core, { is: 'token', subject, id, jti, why, untilMs }, how)
  return done.durability === 'queued' ? done : { ...done, ended: 1 }
}

/** `Records.revokeAll`. */
export async function revokeAll(
  core: Core,
  name: Subject,
  options: { reason: EndReason; except?: SessionId; block?: boolean; context?: Context } & WhenAway,
): Promise<Ended> {
  const subject = refOf(core, name)
  const how = checkHow(options)
  const why = checkReason(options.reason)
  const { except, block } = options
  if (except !== undefined) checkSessionId(except)
  await core.ready()
  const rule = { ...(except !== undefined && { except }), ...(block !== undefined && { block }) }
  return revokeBy(core, { is: 'subject', subject, why, rule }, how)
}

/** `Records.revokeEveryone`. */
export async function revokeEveryone(
  core: Core,
  options: { reason: EndReason; context?: Context } & WhenAway,
): Promise<Ended> {
  const { whenAway, context } = checkHow(options)
  const why = checkReason(options.reason)
  await core.ready()
  // Sessions opened by a clock that is behind the floor count from just above it, so the new one has to be above that.
  const floor = await core.floor.fresh().catch((error: unknown) => {
    if (whenAway === 'throw' || !isAway(error)) throw error
    return undefined
  })
  const notBeforeMs = Math.max(core.nowMs(), (floor?.notBeforeMs ?? 0) + 1)
  const done = await core.revoker.revoke({ is: 'everyone', why, notBeforeMs }, whenAway, context)
  if (done === 'queued') return QUEUED
  // How many there were is not counted: that would be a scan.
  const effectiveAtMs = floorSeenAtMs(core, done.notBeforeMs!)
  const { durability, replicas } = done
  return { ended: 0, effectiveAtMs, durability, ...(replicas !== undefined && { replicas }) }
}

/** `Records.setRoles`. */
export async function setRoles(
  core: Core,
  name: Subject,
  roles: readonly string[],
  options: { context?: Context } & WhenAway,
): Promise<Ended> {
  const subject = refOf(core, name)
  const checked = checkRoles(roles, core.roles)
  const how = checkHow(options)
  await core.ready()
  return revokeBy(core, { is: 'roles', subject, roles: checked }, how)
}

/** `Records.epoch`. */
export async function epoch(core: Core, subject: Subject): Promise<number> {
  const ref = refOf(core, subject)
  await core.ready()
  const gate = await core.sessions.subject(ref, core.nowMs())
  return epochFor(gate.epoch, gate.by)
}
