import { invalidInput } from '../internal/errors.ts'
import { type SessionId, type Subject, tagOfId } from '../session/ids.ts'
import { checkObject, checkReason, checkRoles, checkText } from '../session/input.ts'
import type { EndReason } from '../session/reasons.ts'
import { MAX_LEEWAY_MS } from '../session/record.ts'
import type { Context, Ended } from '../session/types.ts'
import type { Durable } from '../stores/contract.ts'
import { checkSessionId } from './check-id.ts'
import { type Core, refOf, tell } from './core.ts'
import { MAX_FLOOR_AGE_MS } from './floor-watch.ts'

/** When an end written now is seen everywhere: at once, except where tokens are checked without asking anybody. */
function ended(core: Core, done: Durable, nowMs: number): Ended {
  const untilExp = core.strategy.name === 'stateless' ? core.options.accessMs : 0
  return { ended: done.ids.length, effectiveAtMs: nowMs + untilExp, durability: done.durability, epoch: done.epoch }
}

/** `Records.revoke`. */
export async function revoke(
  core: Core,
  id: SessionId,
  options: { reason: EndReason; jti?: string; context?: Context },
): Promise<Ended> {
  checkSessionId(id)
  const reason = checkReason(checkObject(options, 'options').reason)
  await core.ready()
  if (options.jti !== undefined) return denyToken(core, id, checkText(options.jti, 'jti', 128), reason, options.context)
  const nowMs = core.nowMs()
  const stamped = core.strategy.name === 'denylist'
  const unknownUntilMs = nowMs + Math.max(core.options.refreshMs, core.options.accessMs) + MAX_LEEWAY_MS
  const done = await core.sessions.end(id, reason, { unknownUntilMs, stamped }, nowMs)
  for (const gone of done.ids) tell(core, { type: 'session_ended', endedBy: reason }, { id: gone }, options.context)
  return ended(core, done, nowMs)
}

/** Refuses one access token and leaves the session: its holder refreshes, or is asked to log in. */
async function denyToken(
  core: Core,
  id: SessionId,
  jti: string,
  endedBy: EndReason,
  context: Context | undefined,
): Promise<Ended> {
  if (core.strategy.name !== 'denylist') throw invalidInput('jti', 'is for the strategy denylist')
  const found = await core.sessions.read(id)
  const nowMs = core.nowMs()
  if (found.is !== 'live') return { ended: 0, effectiveAtMs: nowMs, durability: 'none' }
  const { subject, tenant, lastExpMs } = found.record
  const ref = { tag: tagOfId(id), subject, ...(tenant !== undefined && { tenant }) }
  const done = await core.revocations.deny(ref, jti, lastExpMs + MAX_LEEWAY_MS, nowMs)
  tell(core, { type: 'token_denied', jti, endedBy }, { ...ref, id }, context)
  return { ended: 1, effectiveAtMs: nowMs, durability: done.durability }
}

/** `Records.revokeAll`. */
export async function revokeAll(
  core: Core,
  subject: Subject,
  options: { reason: EndReason; except?: SessionId; block?: boolean; context?: Context },
): Promise<Ended> {
  const ref = refOf(core, subject)
  const reason = checkReason(checkObject(options, 'options').reason)
  const { except, block, context } = options
  if (except !== undefined) checkSessionId(except)
  await core.ready()
  const nowMs = core.nowMs()
  const rule = { ...(except !== undefined && { except }), ...(block !== undefined && { block }) }
  const done = await core.sessions.endSubject(ref, reason, rule, nowMs)
  for (const id of done.ids) tell(core, { type: 'session_ended', endedBy: reason }, { ...ref, id }, context)
  const summary = { endedBy: reason, ended: done.ids.length, ...(block !== undefined && { blocked: block }) }
  tell(core, { type: 'subject_ended', ...summary }, ref, context)
  return ended(core, done, nowMs)
}

/** `Records.revokeEveryone`. */
export async function revokeEveryone(core: Core, options: { reason: EndReason; context?: Context }): Promise<Ended> {
  const reason = checkReason(checkObject(options, 'options').reason)
  await core.ready()
  // Sessions opened by a clock that is behind the floor count from just above it, so the new one has to be above that.
  const floor = await core.floor.fresh()
  const nowMs = Math.max(core.nowMs(), floor.notBeforeMs + 1)
  const { notBeforeMs, durability } = await core.sessions.raiseFloor(reason, nowMs)
  const effectiveAtMs =
    notBeforeMs + Math.max(MAX_FLOOR_AGE_MS, core.strategy.name === 'stateless' ? core.options.accessMs : 0)
  tell(core, { type: 'everyone_ended', endedBy: reason, effectiveAtMs }, {}, options.context)
  // How many there were is not counted: that would be a scan.
  return { ended: 0, effectiveAtMs, durability }
}

/** `Records.setRoles`. */
export async function setRoles(
  core: Core,
  subject: Subject,
  roles: readonly string[],
  context: Context | undefined,
): Promise<Ended> {
  const ref = refOf(core, subject)
  const checked = checkRoles(roles, core.roles)
  await core.ready()
  const nowMs = core.nowMs()
  const done = await core.sessions.setRoles(ref, checked, nowMs)
  tell(core, { type: 'roles_changed', roles: checked, changed: done.ids.length }, ref, context)
  return ended(core, done, nowMs)
}

/** `Records.epoch`. */
export async function epoch(core: Core, subject: Subject): Promise<number> {
  const ref = refOf(core, subject)
  await core.ready()
  return (await core.sessions.subject(ref, core.nowMs())).epoch
}
