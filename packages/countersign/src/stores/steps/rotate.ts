import { equalBytes } from '../../internal/bytes.ts'
import type { SessionId } from '../../session/ids.ts'
import { MAX_LEEWAY_MS, type Origin, type SessionRecord, type Tombstone } from '../../session/record.ts'
import type { Presented, RotationRule, Successor, Touch } from '../contract.ts'
import { withAccess } from './create.ts'
import { endRecord, isLive, noteStamp, type Shard, stampOf } from './shard.ts'

export type RotateStep =
  | {
      readonly is: 'rotated' | 'replayed' | 'current'
      readonly record: SessionRecord
      readonly previousOrigin: Origin
      readonly stamp: number
    }
  | { readonly is: 'reused' | 'rolled_back' | 'expired' | 'too_many_replays'; readonly record: SessionRecord }
  | { readonly is: 'ended'; readonly tombstone: Tombstone }
  | { readonly is: 'unknown' }

/**
 * `SessionStore.rotate`: the refresh table of `docs/design/0003`, whose row numbers the comments repeat. Row 10 is for stores
 * that have `failovers`.
 */
export function rotate(
  shard: Shard,
  id: SessionId,
  presented: Presented,
  next: Successor,
  rule: RotationRule,
  nowMs: number,
): RotateStep {
  const found = shard.find(id)
  if (!found) return { is: 'unknown' } // row 9
  if (found.is === 'ended') return found // row 9
  const { record } = found
  if (!isLive(record, nowMs, rule.floorMs) || record.refreshAtMs <= nowMs) return { is: 'expired', record }

  const end = (is: 'reused' | 'rolled_back'): RotateStep => {
    endRecord(shard, record, is, nowMs)
    return { is, record }
  }
  const hand = (is: 'rotated' | 'replayed' | 'current', changed: SessionRecord): RotateStep => {
    const stamp = stampOf(shard, record.stamped, rule.floorMs, nowMs)
    const minted = withAccess(used(changed, rule, nowMs), stamp, rule.accessMs)
    shard.put(minted)
    if (minted.stamped) noteStamp(shard, minted, stamp, minted.lastExpMs + MAX_LEEWAY_MS, nowMs)
    return { is, record: minted, previousOrigin: record.origin, stamp }
  }

  if (presented.generation > record.generation) return end('rolled_back') // row 8

  if (presented.generation === record.generation) {
    if (!equalBytes(presented.hash, record.hash)) return end('rolled_back') // row 7
    if (nowMs - record.handedOutAtMs < rule.graceMs) {
      return hand('current', { ...record, confirmedAtMs: record.confirmedAtMs || nowMs }) // row 3
    }
    return hand('rotated', rotated(record, next, nowMs)) // row 2
  }

  if (presented.generation < record.generation - 1) return end('reused') // row 6

  if (!record.previousHash || !equalBytes(presented.hash, record.previousHash)) return end('rolled_back') // row 7
  const unconfirmedOrFresh = record.confirmedAtMs === 0 || nowMs - record.confirmedAtMs < rule.graceMs
  if (rule.replay === 'never' || !unconfirmedOrFresh) return end('reused') // row 5
  const late = nowMs - record.rotatedAtMs >= rule.graceMs
  if (late && record.replays >= rule.maxReplays) return { is: 'too_many_replays', record }
  return hand('replayed', { ...record, handedOutAtMs: nowMs, replays: record.replays + (late ? 1 : 0) }) // row 4
}

function used(record: SessionRecord, { use }: RotationRule, nowMs: number): SessionRecord {
  return use ? movedForward(record, record.persistent ? use.persistentIdleAtMs : use.idleAtMs, nowMs) : record
}

function movedForward(record: SessionRecord, idleAtMs: number, nowMs: number): SessionRecord {
  return {
    ...record,
    lastSeenAtMs: Math.max(record.lastSeenAtMs, nowMs),
    idleAtMs: Math.max(record.idleAtMs, Math.min(idleAtMs, record.absoluteAtMs)),
  }
}

function rotated(record: SessionRecord, next: Successor, nowMs: number): SessionRecord {
  const generation = record.generation + 1
  return {
    ...record,
    generation,
    hash: next.hash,
    previousHash: record.hash,
    rotationKey: next.rotationKey,
    macKey: next.macKey,
    rotatedAtMs: nowMs,
    handedOutAtMs: nowMs,
    confirmedAtMs: 0,
    replays: 0,
    origin: next.origin,
    refreshAtMs: Math.min(next.refreshAtMs, record.absoluteAtMs),
    ...(record.pendingRoles && { roles: record.pendingRoles, pendingRoles: null, rolesGeneration: generation }),
  }
}

/** `SessionStore.touch`. Never revives, never shortens; a confirmation counts for its own generation only. */
export function touch(shard: Shard, id: SessionId, seen: Touch, nowMs: number): void {
  const found = shard.find(id)
  if (found?.is !== 'live' || !isLive(found.record, nowMs)) return
  const { record } = found
  const confirms = seen.generation === record.generation && record.confirmedAtMs === 0
  shard.put({
    ...movedForward(record, seen.idleAtMs, nowMs),
    confirmedAtMs: confirms ? nowMs : record.confirmedAtMs,
  })
}
