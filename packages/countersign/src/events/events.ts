import type { SessionId } from '../session/ids.ts'
import type { EndReason, RefusalReason } from '../session/reasons.ts'
import type { Context } from '../session/types.ts'
import { createEmitter, type Emitter, type EmitterSource } from './emitter.ts'

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
    | { readonly type: 'token_denied'; readonly jti: string; readonly endedBy: EndReason } // authn_token_revoked
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
    | { readonly type: 'store_data_lost' } // sys_monitor
    | {
        /** The store does not take it: this process refuses what it would end, and asks again. */
        readonly type: 'revocation_queued'
        readonly what: RevocationKind
        readonly code: string
      } // sys_monitor
    | {
        /** One that was queued has been done. */
        readonly type: 'revocation_done'
        readonly what: RevocationKind
        readonly ended: number
        readonly waitedMs: number
      } // sys_monitor
    | {
        /** The sessions were closed while revocations waited. `kept`: in the journal, for the next start. */
        readonly type: 'revocations_left'
        readonly waiting: number
        readonly kept: boolean
      } // sys_monitor
    | {
        /** The store is another one than the one that acknowledged: what was held has been done again. */
        readonly type: 'journal_reapplied'
        readonly subjects: number
        readonly lost: number
        readonly ended: number
      } // sys_monitor
    | { readonly type: 'journal_failed'; readonly code: string } // sys_monitor
    | {
        /** The store has not answered for so long: it is asked four times a second now, and everybody else is told at once. */
        readonly type: 'store_silent'
        readonly code: string
        readonly silentMs: number
      } // sys_monitor
    | {
        /** It answers again. `refused`: calls that were told at once meanwhile. */
        readonly type: 'store_back'
        readonly silentMs: number
        readonly refused: number
      } // sys_monitor
    | {
        /** A check was answered without the store, as its caller allowed. At most once a minute for each token. */
        readonly type: 'served_degraded'
        readonly code: string
        /** How long ago the session was certain. */
        readonly ageMs: number
      } // sys_monitor
    | { readonly type: 'background_write_failed'; readonly code: string } // sys_monitor
  )

/** What a revocation is about: one session, all of a subject, its roles, everybody, or one access token. */
export type RevocationKind = 'session' | 'subject' | 'roles' | 'everyone' | 'token'

export type SessionEventType = SessionEvent['type']

/** Where the events of sessions can be heard. */
export type Events = Emitter<SessionEvent>

/** The same with the side that only the library uses. */
export type EventSource = EmitterSource<SessionEvent>

export function createEvents(): EventSource {
  return createEmitter<SessionEvent>()
}
