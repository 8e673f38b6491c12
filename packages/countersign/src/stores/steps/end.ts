import type { SessionId, SubjectRef } from '../../session/ids.ts'
import type { EndReason } from '../../session/reasons.ts'
import type { EndRule, EndSubjectRule } from '../contract.ts'
import {
  bury,
  denySid,
  endRecord,
  gateOf,
  isLive,
  moveEpoch,
  raiseNotBefore,
  revocationsOf,
  type Shard,
} from './shard.ts'

export interface Changed {
  readonly ids: readonly SessionId[]
  readonly epoch: number
}

/** `SessionStore.end`. */
export function end(shard: Shard, id: SessionId, why: EndReason, rule: EndRule, nowMs: number): Changed {
  const { epoch } = gateOf(shard)
  const last = follow(shard, id)
  const found = shard.find(last)
  if (found?.is === 'live') {
    endRecord(shard, found.record, why, nowMs)
    return { ids: isLive(found.record, nowMs) ? [last] : [], epoch }
  }
  if (!found) {
    bury(shard, { id: last, endedAtMs: nowMs, why, keepUntilMs: rule.unknownUntilMs }, nowMs)
    const revocations = shard.revocations()
    if (rule.stamped && revocations) denySid(shard, revocations, last, why, rule.unknownUntilMs, nowMs)
  }
  return { ids: [], epoch }
}

/** `SessionStore.endSubject`. Ending the records and raising `notBefore` are one step. */
export function endSubject(shard: Shard, why: EndReason, rule: EndSubjectRule, nowMs: number): Changed {
  const except = rule.except === undefined ? undefined : follow(shard, rule.except)
  const ids: SessionId[] = []
  for (const record of shard.records()) {
    if (record.id === except) continue
    if (isLive(record, nowMs)) ids.push(record.id)
    endRecord(shard, record, why, nowMs)
  }
  raiseNotBefore(shard, nowMs)
  return { ids, epoch: moveEpoch(shard, nowMs, rule.block) }
}

/** `SessionStore.setRoles`. */
export function setRoles(shard: Shard, roles: readonly string[], nowMs: number): Changed {
  const ids: SessionId[] = []
  let changed = false
  for (const record of shard.records()) {
    const kept = record.roles.filter((role) => roles.includes(role))
    const gains = roles.some((role) => !kept.includes(role))
    const pendingRoles = gains ? roles : null
    if (kept.length === record.roles.length && same(pendingRoles, record.pendingRoles)) continue
    shard.put({ ...record, roles: kept, pendingRoles })
    changed = true
    if (isLive(record, nowMs)) ids.push(record.id)
  }
  // Also for a session past its deadline: an access token of it may not be.
  if (changed) raiseNotBefore(shard, nowMs)
  return { ids, epoch: moveEpoch(shard, nowMs) }
}

/** The id that took over from one that was replaced, however often. */
function follow(shard: Shard, id: SessionId): SessionId {
  let last = id
  for (let found = shard.find(last); found?.is === 'ended' && found.tombstone.replacedBy; found = shard.find(last)) {
    last = found.tombstone.replacedBy
  }
  return last
}

function same(a: readonly string[] | null, b: readonly string[] | null): boolean {
  return a === b || (a?.length === b?.length && a?.every((role, i) => role === b?.[i]) === true)
}

/** `RevocationStore.deny`. */
export function denyJti(shard: Shard, subject: SubjectRef, jti: string, untilMs: number, nowMs: number): Changed {
  const state = revocationsOf(shard, subject, nowMs)
  shard.setRevocations({
    ...state,
    jtis: new Map(state.jtis).set(jti, untilMs),
    untilMs: Math.max(state.untilMs, untilMs),
  })
  return { ids: [], epoch: gateOf(shard).epoch }
}
