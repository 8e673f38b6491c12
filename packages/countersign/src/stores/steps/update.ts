import type { SessionId } from '../../session/ids.ts'
import { MAX_OPERATIONS, type SessionRecord, type Tombstone } from '../../session/record.ts'
import type { DataChange } from '../contract.ts'
import { isLive, type Shard } from './shard.ts'

export type UpdateStep =
  | { readonly is: 'stored' | 'repeated' | 'conflict' | 'expired'; readonly record: SessionRecord }
  | { readonly is: 'ended'; readonly tombstone: Tombstone }
  | { readonly is: 'unknown' }

/** `SessionStore.update`. */
export function update(
  shard: Shard,
  id: SessionId,
  change: DataChange,
  expectedVersion: number,
  nowMs: number,
): UpdateStep {
  const found = shard.find(id)
  if (!found) return { is: 'unknown' }
  if (found.is === 'ended') return found
  const { record } = found
  if (!isLive(record, nowMs)) return { is: 'expired', record }
  if (change.operationId !== undefined && record.operations.includes(change.operationId)) {
    return { is: 'repeated', record }
  }
  if (record.version !== expectedVersion) return { is: 'conflict', record }
  const operations =
    change.operationId === undefined
      ? record.operations
      : [...record.operations, change.operationId].slice(-MAX_OPERATIONS)
  const { dataVersion: _, ...kept } = record
  const { data, dataVersion } = change
  const changed = { data, ...(dataVersion !== undefined && { dataVersion }), version: record.version + 1, operations }
  const stored = { ...kept, ...changed }
  shard.put(stored)
  return { is: 'stored', record: stored }
}
