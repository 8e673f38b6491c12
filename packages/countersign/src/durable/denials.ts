import type { SessionId } from '../session/ids.ts'
import type { EndReason } from '../session/reasons.ts'
import type { SessionRecord } from '../session/record.ts'
import type { Found, Revocations } from '../stores/contract.ts'
import type { Operation } from './operations.ts'

/** A revocation that the store has not taken yet, with the moment at which it was asked for. */
export interface Asked {
  readonly operation: Operation
  /** Store time, as far as this process knew it. */
  readonly atMs: number
}

/** A session as far as it is known. */
export type Known = { readonly id: SessionId }

/**
 * Why a session is refused although the store still has it. When it was opened does not matter: what waits for a subject ends
 * all that there is when it goes through, and a process that was suspended does not know what time it is.
 */
export function endOf(asked: readonly Asked[], { id }: Known): EndReason | undefined {
  for (const { operation } of asked) {
    if (operation.is === 'session' && operation.id === id) return operation.why
    if (operation.is === 'subject' && operation.rule.except !== id) return operation.why
  }
  return undefined
}

export function isBlocked(asked: readonly Asked[]): boolean {
  const last = asked.findLast(({ operation }) => operation.is === 'subject' && operation.rule.block !== undefined)
  return last?.operation.is === 'subject' && last.operation.rule.block === true
}

/** What a read found, without what it must not show any more: an ended session, or a role that was taken away. */
export function deny(asked: readonly Asked[], found: Found): Found {
  if (asked.length === 0 || found.is !== 'live') return found
  const { record } = found
  const why = endOf(asked, record)
  return why === undefined ? { is: 'live', record: demoted(asked, record) } : ended(record.id, why, asked)
}

export function demoted(asked: readonly Asked[], record: SessionRecord): SessionRecord {
  let { roles } = record
  for (const { operation } of asked) {
    if (operation.is !== 'roles') continue
    roles = roles.filter((role) => operation.roles.includes(role))
  }
  return roles.length === record.roles.length ? record : { ...record, roles }
}

export function ended(id: SessionId, why: EndReason, asked: readonly Asked[]): Found {
  const endedAtMs = asked[0]?.atMs ?? 0
  return { is: 'ended', tombstone: { id, why, endedAtMs, keepUntilMs: endedAtMs } }
}

/** The same for tokens that are checked without the record: while something waits for all of them, all are refused. */
export function denyTokens(asked: readonly Asked[], kept: Revocations): Revocations {
  let { notBefore } = kept
  const sids = new Map(kept.sids)
  const jtis = new Set(kept.jtis)
  for (const { operation } of asked) {
    if (operation.is === 'session') sids.set(operation.id, operation.why)
    else if (operation.is === 'token') jtis.add(operation.jti)
    else notBefore = Number.MAX_SAFE_INTEGER
  }
  return { ...kept, notBefore, sids, jtis }
}
