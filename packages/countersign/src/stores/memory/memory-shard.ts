import type { SessionId } from '../../session/ids.ts'
import { keepUntilMs, type SessionRecord, type Tombstone } from '../../session/record.ts'
import { EPOCH_KEEP_MS, type Gate, type Kept, type RevocationState, type Shard } from '../steps/shard.ts'

/** Told of every change of a shard, in the step that makes it. */
export interface ShardChanges {
  sessionChanged(id: SessionId): void
  revocationsChanged(): void
}

/** One subject in the memory of one process. Records are replaced, never changed, so nobody sees half a step. */
export class MemoryShard implements Shard {
  readonly #changes: ShardChanges
  readonly #kept = new Map<SessionId, Kept>()
  #gate: Gate | undefined
  #revocations: RevocationState | undefined

  constructor(changes: ShardChanges) {
    this.#changes = changes
  }

  gate(): Gate | undefined {
    return this.#gate
  }
  setGate(gate: Gate): void {
    this.#gate = gate
  }
  revocations(): RevocationState | undefined {
    return this.#revocations
  }
  setRevocations(state: RevocationState): void {
    this.#revocations = state
    this.#changes.revocationsChanged()
  }
  find(id: SessionId): Kept | undefined {
    return this.#kept.get(id)
  }
  records(): readonly SessionRecord[] {
    return [...this.#kept.values()].flatMap((kept) => (kept.is === 'live' ? [kept.record] : []))
  }
  tombstones(): readonly Tombstone[] {
    return [...this.#kept.values()].flatMap((kept) => (kept.is === 'ended' ? [kept.tombstone] : []))
  }
  put(record: SessionRecord): void {
    this.#kept.set(record.id, { is: 'live', record })
    this.#changes.sessionChanged(record.id)
  }
  bury(tombstone: Tombstone): void {
    this.#kept.set(tombstone.id, { is: 'ended', tombstone })
    this.#changes.sessionChanged(tombstone.id)
  }
  forget(id: SessionId): void {
    this.#kept.delete(id)
    this.#changes.sessionChanged(id)
  }

  /** Drops up to `limit` things that are over at `nowMs`. Returns how many went, and whether nothing is left. */
  sweep(nowMs: number, limit: number): { readonly gone: number; readonly empty: boolean } {
    let gone = 0
    for (const [id, kept] of this.#kept) {
      if (gone === limit) break
      const untilMs = kept.is === 'live' ? keepUntilMs(kept.record) : kept.tombstone.keepUntilMs
      if (untilMs <= nowMs && this.#kept.delete(id)) gone++
    }
    if (gone < limit && this.#revocations && this.#revocations.untilMs <= nowMs) {
      this.#revocations = undefined
      gone++
    }
    if (gone < limit && this.#gate && !this.#gate.blocked && this.#gate.movedAtMs + EPOCH_KEEP_MS <= nowMs) {
      this.#gate = undefined
      gone++
    }
    return { gone, empty: this.#kept.size === 0 && !this.#revocations && !this.#gate }
  }
}
