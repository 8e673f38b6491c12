import type { SessionId } from '../session/ids.ts'
import type { EndReason, RefusalReason } from '../session/reasons.ts'
import type { Context } from '../session/types.ts'

/** Who and what an event is about. No event holds a secret; ids are handles, and logs should print a salted hash of them. */
interface About {
  /** ISO 8601, UTC, store time. */
  readonly at: string
  readonly sessionId?: SessionId
  readonly subject?: string
  readonly tenant?: string
  /** Who asked, as far as the caller said. */
  readonly context?: Context
}

/**
 * Everything that is worth an audit line. The comment names the event of the OWASP logging vocabulary.
 */
export type SessionEvent = About &
  (
    | { readonly type: 'session_created' } // session_created
    | { readonly type: 'session_renewed'; readonly generation: number } // session_renewed
    | { readonly type: 'session_stepped_up'; readonly acr: string; readonly replaces: SessionId } // session_renewed
    | { readonly type: 'session_ended'; readonly endedBy: EndReason } // session_logout, authn_token_revoked
    | { readonly type: 'session_refused'; readonly reason: RefusalReason } // session_use_after_expire, authn_token_reuse
    | { readonly type: 'login_refused'; readonly reason: RefusalReason } // authn_login_fail, excess_sessions_exceeded
    | {
        /** An older token was presented and got the same successor again. */
        readonly type: 'refresh_replayed'
        readonly generation: number
        /** Where the successor went first. */
        readonly firstOrigin: { readonly ip?: string; readonly userAgent?: string }
      } // authn_token_reuse
    | { readonly type: 'refresh_reused'; readonly generation: number } // authn_token_reuse
    | { readonly type: 'store_rollback'; readonly generation: number } // sys_monitor
    | {
        readonly type: 'subject_ended'
        readonly endedBy: EndReason
        readonly ended: number
        readonly blocked?: boolean
      } // authz_admin
    | { readonly type: 'roles_changed'; readonly roles: readonly string[]; readonly changed: number } // authz_change
    | { readonly type: 'everyone_ended'; readonly endedBy: EndReason; readonly effectiveAtMs: number } // authz_admin
    | { readonly type: 'background_write_failed'; readonly code: string } // sys_monitor
  )

export type SessionEventType = SessionEvent['type']

export interface Events {
  /**
   * Calls `listener` for each event of a type, or of every type with `'*'`, in the turn in which it happens. What a
   * listener throws becomes a process warning and touches nothing else. Returns the function that takes it off again.
   */
  on<T extends SessionEventType>(type: T, listener: (event: Extract<SessionEvent, { type: T }>) => void): () => void
  on(type: '*', listener: (event: SessionEvent) => void): () => void
}

/** The same with the side that only the library uses. */
export interface EventSource extends Events {
  emit(event: SessionEvent): void
}

export function createEvents(): EventSource {
  const listeners = new Map<string, Set<(event: SessionEvent) => void>>()
  return {
    on(type: string, listener: (event: never) => void) {
      const set = listeners.get(type) ?? new Set()
      listeners.set(type, set)
      const entry = listener as (event: SessionEvent) => void
      set.add(entry)
      return () => set.delete(entry)
    },
    emit(event) {
      for (const type of [event.type, '*']) {
        for (const listener of listeners.get(type) ?? []) {
          try {
            listener(event)
          } catch (error) {
            process.emitWarning(`a listener for ${event.type} failed: ${(error as Error)?.name ?? 'unknown'}`, {
              code: 'COUNTERSIGN_LISTENER',
            })
          }
        }
      }
    },
  }
}
