import type { SessionId } from '../../session/ids.ts'
import { MAX_LEEWAY_MS, type SessionRecord } from '../../session/record.ts'
import type { CreateRule, ReplaceRule } from '../contract.ts'
import { endRecord, gateOf, isLive, noteStamp, type Shard, stampOf } from './shard.ts'

type Refusal = { readonly is: 'limit' | 'blocked' | 'stale_epoch' | 'exists' }

/** `SessionStore.create`. */
export function create(
  shard: Shard,
  record: SessionRecord,
  rule: CreateRule,
  nowMs: number,
): Refusal | { readonly is: 'created'; readonly evicted: readonly SessionId[]; readonly stamp: number } {
  const gate = gateOf(shard)
  if (gate.blocked) return { is: 'blocked' }
  if (rule.ifEpoch !== null && rule.ifEpoch !== gate.epoch) return { is: 'stale_epoch' }
  if (shard.find(record.id)) return { is: 'exists' }

  const live = shard.records().filter((other) => isLive(other, nowMs, rule.floorMs))
  const surplus = live.length - rule.limit.max + 1
  if (surplus > 0 && rule.limit.overflow === 'reject') return { is: 'limit' }
  const by = rule.limit.overflow === 'evict_oldest' ? 'createdAtMs' : 'lastSeenAtMs'
  const evicted = live.sort((a, b) => a[by] - b[by] || (a.id < b.id ? -1 : 1)).slice(0, Math.max(0, surplus))
  for (const other of evicted) endRecord(shard, other, 'limit', nowMs)

  const { stamp } = mint(shard, record, rule, nowMs)
  return { is: 'created', evicted: evicted.map((other) => other.id), stamp }
}

/** `SessionStore.replace`. */
export function replace(
  shard: Shard,
  oldId: SessionId,
  next: SessionRecord,
  rule: ReplaceRule,
  nowMs: number,
):
  | { readonly is: 'blocked' | 'exists' | 'unknown' }
  | { readonly is: 'replaced'; readonly record: SessionRecord; readonly stamp: number }
  | { readonly is: 'expired'; readonly record: SessionRecord }
  | Extract<ReturnType<Shard['find']>, { is: 'ended' }> {
  const found = shard.find(oldId)
  if (!found) return { is: 'unknown' }
  if (found.is === 'ended') return found
  const old = found.record
  if (!isLive(old, nowMs, rule.floorMs)) return { is: 'expired', record: old }
  if (gateOf(shard).blocked) return { is: 'blocked' }
  if (shard.find(next.id)) return { is: 'exists' }

  const { dataVersion: _, ...fresh } = next
  const carried: SessionRecord = {
    ...fresh,
    ...(old.more && { more: old.more }),
    data: old.data,
    ...(old.dataVersion !== undefined && { dataVersion: old.dataVersion }),
    version: old.version,
    operations: old.operations,
    roles: old.pendingRoles ?? old.roles,
    pendingRoles: null,
    rolesGeneration: 0,
    createdAtMs: old.createdAtMs,
    absoluteAtMs: old.absoluteAtMs,
    idleAtMs: Math.min(next.idleAtMs, old.absoluteAtMs),
    refreshAtMs: Math.min(next.refreshAtMs, old.absoluteAtMs),
  }
  const minted = mint(shard, carried, rule, nowMs)
  endRecord(shard, old, 'replaced', nowMs, next.id)
  return { is: 'replaced', ...minted }
}

/** Stores a record whose first access token counts from the stamp returned. */
function mint(shard: Shard, record: SessionRecord, rule: { accessMs: number; floorMs: number }, nowMs: number) {
  const stamp = stampOf(shard, record.stamped, rule.floorMs, nowMs)
  const minted = withAccess(record, stamp, rule.accessMs)
  shard.put(minted)
  if (minted.stamped) noteStamp(shard, minted, stamp, minted.lastExpMs + MAX_LEEWAY_MS, nowMs)
  return { record: minted, stamp }
}

/** The record, remembering that an access token may exist until `stamp + accessMs`. */
export function withAccess(record: SessionRecord, stamp: number, accessMs: number): SessionRecord {
  return accessMs === 0 ? record : { ...record, lastExpMs: Math.max(record.lastExpMs, stamp + accessMs) }
}
