import type { SessionId, SubjectRef } from '../../session/ids.ts'
import type { EndReason } from '../../session/reasons.ts'
import {
  deadlineMs,
  keepUntilMs,
  MAX_LEEWAY_MS,
  MAX_TOMBSTONES,
  type SessionRecord,
  type Tombstone,
} from '../../session/record.ts'

/**
 * Everything that a store keeps for one subject, as one step sees it. The steps in this folder are the reference for
 * what each method of `SessionStore` does: the memory and the SQLite store run them inside one atomic section, and
 * the Lua scripts of the Redis store are held against them by the same suite.
 */
export interface Shard {
  /** `undefined` when nothing is kept about the subject: epoch 0, not blocked. */
  gate(): Gate | undefined
  setGate(gate: Gate): void
  revocations(): RevocationState | undefined
  setRevocations(state: RevocationState): void
  find(id: SessionId): Kept | undefined
  /** All records that have not ended, whether or not their deadline has passed. */
  records(): readonly SessionRecord[]
  tombstones(): readonly Tombstone[]
  put(record: SessionRecord): void
  bury(tombstone: Tombstone): void
  forget(id: SessionId): void
}

export type Kept =
  | { readonly is: 'live'; readonly record: SessionRecord }
  | { readonly is: 'ended'; readonly tombstone: Tombstone }

export interface Gate {
  readonly epoch: number
  readonly blocked: boolean
  readonly movedAtMs: number
}

/** How long an epoch outlives its last move: no login is held in a password hash for a day. */
export const EPOCH_KEEP_MS = 86_400_000

export interface RevocationState {
  readonly subject: string
  readonly tenant?: string
  readonly notBefore: number
  readonly lastStamp: number
  readonly sids: ReadonlyMap<string, { readonly why: EndReason; readonly untilMs: number }>
  readonly jtis: ReadonlyMap<string, number>
  /** No token that it speaks of can be presented from here on. */
  readonly untilMs: number
}

export function isLive(record: SessionRecord, nowMs: number, floorMs = 0): boolean {
  return deadlineMs(record) > nowMs && record.createdAtMs > floorMs
}

export function gateOf(shard: Shard): Gate {
  return shard.gate() ?? { epoch: 0, blocked: false, movedAtMs: 0 }
}

/** Moves the epoch forward, whatever the clock says, so that a login that read the old one is refused. */
export function moveEpoch(shard: Shard, nowMs: number, block?: boolean): number {
  const gate = gateOf(shard)
  const epoch = Math.max(nowMs, gate.epoch + 1)
  shard.setGate({ epoch, blocked: block ?? gate.blocked, movedAtMs: nowMs })
  return epoch
}

/** Turns a live record into its tombstone, enters it in the revocation record, and keeps the tombstones within their cap. */
export function endRecord(
  shard: Shard,
  record: SessionRecord,
  why: EndReason,
  nowMs: number,
  replacedBy?: SessionId,
): void {
  bury(
    shard,
    { id: record.id, endedAtMs: nowMs, why, keepUntilMs: keepUntilMs(record), ...(replacedBy && { replacedBy }) },
    nowMs,
  )
  if (record.stamped) denySid(shard, record, record.id, why, record.lastExpMs + MAX_LEEWAY_MS, nowMs)
}

export function bury(shard: Shard, tombstone: Tombstone, nowMs: number): void {
  if (tombstone.keepUntilMs > nowMs) shard.bury(tombstone)
  else shard.forget(tombstone.id)
  const tombstones = shard.tombstones()
  const over = tombstones.length - MAX_TOMBSTONES
  if (over <= 0) return
  const oldestFirst = [...tombstones].sort((a, b) => a.endedAtMs - b.endedAtMs || (a.id < b.id ? -1 : 1))
  for (const old of oldestFirst.slice(0, over)) shard.forget(old.id)
}

/** What an access token made now counts from: above every stamp that has been refused. */
export function stampOf(shard: Shard, stamped: boolean, floorMs: number, nowMs: number): number {
  const notBefore = stamped ? (shard.revocations()?.notBefore ?? 0) : 0
  return Math.max(nowMs, floorMs + 1, notBefore + 1)
}

/** Notes in the revocation record that a token with this stamp may exist until `untilMs`. */
export function noteStamp(shard: Shard, subject: Named, stamp: number, untilMs: number, nowMs: number): void {
  const state = revocationsOf(shard, subject, nowMs)
  shard.setRevocations({
    ...state,
    lastStamp: Math.max(state.lastStamp, stamp),
    untilMs: Math.max(state.untilMs, untilMs),
  })
}

export function denySid(
  shard: Shard,
  subject: Named,
  sid: SessionId,
  why: EndReason,
  untilMs: number,
  nowMs: number,
): void {
  const state = revocationsOf(shard, subject, nowMs)
  shard.setRevocations({
    ...state,
    sids: new Map(state.sids).set(sid, { why, untilMs }),
    untilMs: Math.max(state.untilMs, untilMs),
  })
}

/** Refuses every token of the subject that exists. Does nothing where none can exist. */
export function raiseNotBefore(shard: Shard, nowMs: number): void {
  const state = shard.revocations()
  if (!state) return
  shard.setRevocations({ ...state, notBefore: Math.max(nowMs, state.notBefore + 1, state.lastStamp) })
}

/** What records and subject references have in common. */
export type Named = Pick<SubjectRef, 'subject' | 'tenant'>

/**
 * The subject's revocation record without what is over, or a new one. A new one refuses every token that exists: either
 * there is none, or the store has lost the record that said which of them had ended, and a later login must not make
 * those good again (`docs/design/0007-durability-and-journal.md`).
 */
export function revocationsOf(shard: Shard, named: Named, nowMs: number): RevocationState {
  const state = shard.revocations()
  if (!state) {
    const empty = { notBefore: nowMs - 1, lastStamp: 0, sids: new Map(), jtis: new Map(), untilMs: 0 }
    return { subject: named.subject, ...(named.tenant !== undefined && { tenant: named.tenant }), ...empty }
  }
  const sids = new Map([...state.sids].filter(([, entry]) => entry.untilMs > nowMs))
  const jtis = new Map([...state.jtis].filter(([, untilMs]) => untilMs > nowMs))
  return { ...state, sids, jtis }
}
