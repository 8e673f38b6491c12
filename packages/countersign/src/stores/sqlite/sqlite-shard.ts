import type { SessionId } from '../../session/ids.ts'
import { deadlineMs, keepUntilMs, type SessionRecord, type Tombstone } from '../../session/record.ts'
import { key, unkey } from '../shared/escapes.ts'
import type { Gate, Kept, RevocationState, Shard } from '../steps/shard.ts'
import {
  decodeRecord,
  decodeRevocations,
  decodeTombstone,
  encodeRecord,
  encodeRevocations,
  encodeTombstone,
} from './codec.ts'
import type { Statements } from './connection.ts'
import type { StepChanges } from './sqlite-feed.ts'

type Row = Record<string, unknown>

/**
 * One subject as one step sees it: rows are read when the step asks for them and written together at its end, so that
 * a row changed three times in a step is written once, and 500 sessions that end do not read their tombstones 500 times.
 */
export class SqliteShard implements Shard {
  readonly #tag: string
  readonly #sql: Statements
  readonly #dropsUnreadable: boolean
  /** What this step has read or put, by id; `undefined` = there is no such row. */
  readonly #known = new Map<SessionId, Kept | undefined>()
  readonly #changed = new Set<SessionId>()
  readonly #loaded = new Set<Kept['is']>()
  #gate: Gate | undefined
  #gateState: 'unread' | 'read' | 'changed' = 'unread'
  #revocations: RevocationState | undefined
  #revocationsState: 'unread' | 'read' | 'changed' = 'unread'

  /** @param dropsUnreadable - A row that does not decode counts as absent and is deleted, instead of failing the step. */
  constructor(tag: string, sql: Statements, dropsUnreadable: boolean) {
    this.#tag = tag
    this.#sql = sql
    this.#dropsUnreadable = dropsUnreadable
  }

  gate(): Gate | undefined {
    if (this.#gateState === 'unread') {
      const row = this.#sql.gate.get(key(this.#tag)) as Row | undefined
      this.#gate = row && {
        epoch: row.epoch as number,
        blocked: row.blocked === 1,
        movedAtMs: row.moved_at_ms as number,
      }
      this.#gateState = 'read'
    }
    return this.#gate
  }
  setGate(gate: Gate): void {
    this.#gate = gate
    this.#gateState = 'changed'
  }

  revocations(): RevocationState | undefined {
    if (this.#revocationsState === 'unread') {
      const row = this.#sql.revocations.get(key(this.#tag)) as Row | undefined
      this.#revocations = row && this.#readable(() => decodeRevocations(row.body))
      this.#revocationsState = 'read'
    }
    return this.#revocations
  }
  setRevocations(state: RevocationState): void {
    this.#revocations = state
    this.#revocationsState = 'changed'
  }

  find(id: SessionId): Kept | undefined {
    if (!this.#known.has(id)) {
      const row = this.#sql.session.get(key(id)) as Row | undefined
      this.#known.set(id, row && this.#kept(id, row.state, row.body))
    }
    return this.#known.get(id)
  }
  records(): readonly SessionRecord[] {
    this.#load('live')
    return [...this.#known.values()].flatMap((kept) => (kept?.is === 'live' ? [kept.record] : []))
  }
  tombstones(): readonly Tombstone[] {
    this.#load('ended')
    return [...this.#known.values()].flatMap((kept) => (kept?.is === 'ended' ? [kept.tombstone] : []))
  }
  put(record: SessionRecord): void {
    this.#change(record.id, { is: 'live', record })
  }
  bury(tombstone: Tombstone): void {
    this.#change(tombstone.id, { is: 'ended', tombstone })
  }
  forget(id: SessionId): void {
    this.#change(id, undefined)
  }

  /** What the step changes. */
  get changes(): StepChanges {
    return { tag: this.#tag, ids: this.#changed, hasRevocations: this.#revocationsState === 'changed' }
  }

  /** Writes what the step changed. Must run inside its transaction. */
  flush(): void {
    const sql = this.#sql
    const tag = key(this.#tag)
    for (const id of this.#changed) {
      const kept = this.#known.get(id)
      if (!kept) {
        sql.dropSession.run(key(id))
      } else if (kept.is === 'live') {
        const { record } = kept
        sql.putSession.run(key(id), tag, 'live', deadlineMs(record), keepUntilMs(record), encodeRecord(record))
      } else {
        const { tombstone } = kept
        sql.putSession.run(key(id), tag, 'ended', null, tombstone.keepUntilMs, encodeTombstone(tombstone))
      }
    }
    if (this.#gateState === 'changed' && this.#gate) {
      sql.putGate.run(tag, this.#gate.epoch, this.#gate.blocked ? 1 : 0, this.#gate.movedAtMs)
    }
    if (this.#revocationsState === 'changed' && this.#revocations) {
      sql.putRevocations.run(tag, this.#revocations.untilMs, encodeRevocations(this.#revocations))
    }
  }

  #change(id: SessionId, kept: Kept | undefined): void {
    this.#known.set(id, kept)
    this.#changed.add(id)
  }

  /** Reads all rows of a state; what the step has changed stays as the step has it. */
  #load(state: Kept['is']): void {
    if (this.#loaded.has(state)) return
    this.#loaded.add(state)
    for (const row of this.#sql.sessionsOf.all(key(this.#tag), state) as Row[]) {
      const id = unkey(row.id as string) as SessionId
      if (!this.#known.has(id)) this.#known.set(id, this.#kept(id, state, row.body))
    }
  }

  #kept(id: SessionId, state: unknown, body: unknown): Kept | undefined {
    const kept = this.#readable((): Kept => {
      if (state === 'live') return { is: 'live', record: decodeRecord(body) }
      return { is: 'ended', tombstone: decodeTombstone(body) }
    })
    if (!kept) this.#changed.add(id)
    return kept
  }

  #readable<T>(decode: () => T): T | undefined {
    if (!this.#dropsUnreadable) return decode()
    try {
      return decode()
    } catch {
      return undefined
    }
  }
}
