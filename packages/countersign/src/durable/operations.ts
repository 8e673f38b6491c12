import { CountersignError } from '../internal/errors.ts'
import type { SessionId, SubjectRef } from '../session/ids.ts'
import type { EndReason } from '../session/reasons.ts'
import type { EndSubjectRule, RevocationStore, SessionStore, Written } from '../stores/contract.ts'
import type { ReadFor } from '../stores/read-for.ts'

/** A revocation as it is asked of the store, and as it is kept while the store does not take it. Survives JSON. */
export type Operation =
  | { readonly is: 'session'; readonly id: SessionId; readonly why: EndReason; readonly stamped: boolean }
  | { readonly is: 'subject'; readonly subject: SubjectRef; readonly why: EndReason; readonly rule: EndSubjectRule }
  | { readonly is: 'roles'; readonly subject: SubjectRef; readonly roles: readonly string[] }
  | { readonly is: 'everyone'; readonly why: EndReason; readonly notBeforeMs: number }
  | {
      readonly is: 'token'
      readonly subject: SubjectRef
      readonly id: SessionId
      readonly jti: string
      readonly why: EndReason
      readonly untilMs: number
    }

/** What the store answered. */
export interface Done extends Written {
  readonly ids: readonly SessionId[]
  /** Absent with `everyone`. */
  readonly epoch?: number
  readonly ended?: readonly SessionId[]
  /** With `everyone`: the floor after the call. */
  readonly notBeforeMs?: number
}

/** The subject that an operation is about; `null`: everybody. */
export function tagOf(operation: Operation): string | null {
  switch (operation.is) {
    case 'session':
      return operation.id.slice(0, 12)
    case 'everyone':
      return null
    default:
      return operation.subject.tag
  }
}

export interface Stores {
  readonly sessions: SessionStore & ReadFor
  /** Absent where no strategy needs it. */
  readonly revocations: RevocationStore | undefined
}

/** Asks it of the store. @param unknownMs - How long an id that the store does not know is remembered. */
export async function perform(
  { sessions, revocations }: Stores,
  operation: Operation,
  nowMs: number,
  unknownMs: number,
): Promise<Done> {
  switch (operation.is) {
    case 'session': {
      const { id, why, stamped } = operation
      return sessions.end(id, why, { unknownUntilMs: nowMs + unknownMs, stamped }, nowMs)
    }
    case 'subject':
      return sessions.endSubject(operation.subject, operation.why, operation.rule, nowMs)
    case 'roles':
      return sessions.setRoles(operation.subject, operation.roles, nowMs)
    case 'everyone':
      return { ids: [], ...(await sessions.raiseFloor(operation.why, operation.notBeforeMs)) }
    case 'token':
      return revocations!.deny(operation.subject, operation.jti, operation.untilMs, nowMs)
  }
}

/** Whether the store did not take it, or may not have: it is worth asking again. */
export function isAway(error: unknown): error is CountersignError {
  return (
    error instanceof CountersignError && (error.code === 'ERR_STORE_UNAVAILABLE' || error.code === 'ERR_STORE_TIMEOUT')
  )
}
