import type { NearCache } from '../cache/near-cache.ts'
import type { GuardedRevocations, GuardedSessions } from '../durable/guarded-store.ts'
import type { Revoker } from '../durable/revoker.ts'
import type { EventSource, SessionEvent } from '../events/events.ts'
import type { Runtime } from '../internal/runtime.ts'
import type { DataCodec } from '../session/data.ts'
import type { SessionId, Subject, SubjectRef } from '../session/ids.ts'
import { contextOf } from '../session/input.ts'
import { idleWindowMs, type Lifetimes } from '../session/lifetimes.ts'
import type { SessionRecord } from '../session/record.ts'
import type { Context } from '../session/types.ts'
import type { LimitRule } from '../stores/contract.ts'
import type { ResolvedStrategyOptions, Strategy } from '../strategies/strategy.ts'
import type { Keyring } from '../tokens/keyring.ts'
import type { Keys } from '../tokens/keys.ts'
import { subjectRef } from '../tokens/session-id.ts'
import type { Background } from './background.ts'
import type { Use } from './check-record.ts'
import type { FloorWatch } from './floor-watch.ts'
import type { Proof } from './proofs.ts'

/** What every verb works with. Made once by `createSessions`; nothing in it changes but the keys. */
export interface Core {
  readonly strategy: Strategy<'record' | 'token', boolean, any>
  readonly options: ResolvedStrategyOptions
  /** Absent for a storeless `stateless`, whose verbs never ask for it. */
  readonly sessions: GuardedSessions
  readonly revocations: GuardedRevocations
  /** Ends, blocks and demotes: nothing else writes that. `sessions` and `revocations` come from it. */
  readonly revoker: Revoker
  readonly floor: FloorWatch
  /** Tokens that were found genuine, and where the store tells of changes how they stand. */
  readonly near: NearCache<Proof, Use>
  readonly keyring: Keyring
  /** As they are now: a reload changes them between two looks. */
  readonly keys: Keys
  readonly lifetimes: Lifetimes
  readonly limit: LimitRule
  readonly roles: readonly string[] | undefined
  /** Weakest first. */
  readonly acrLevels: readonly string[]
  readonly data: DataCodec
  readonly runtime: Runtime
  readonly events: EventSource
  readonly background: Background
  /** Store time in milliseconds; never goes back. */
  nowMs(): number
  /** Connects the store the first time. */
  ready(): Promise<void>
  /** `ready()` has nothing left to do: on the path of every request it need not be awaited. */
  readonly isReady: boolean
}

/** A subject with its tag. */
export function refOf(core: Core, subject: Subject): SubjectRef {
  return subjectRef(core.keyring, subject)
}

/** The promised idle window of a record. */
export function windowOf(core: Core, record: Pick<SessionRecord, 'persistent'>): number | null {
  return idleWindowMs(core.lifetimes, record.persistent, core.options.refreshMs)
}

type Detail<T> = T extends SessionEvent ? Omit<T, 'at' | 'sessionId' | 'subject' | 'tenant' | 'context'> : never

/** Emits an event about a session or subject. */
export function tell(
  core: Core,
  detail: Detail<SessionEvent>,
  about: { readonly id?: SessionId; readonly subject?: string; readonly tenant?: string },
  context: Context | undefined,
): void {
  core.events.emit({
    ...detail,
    at: new Date(core.nowMs()).toISOString(),
    ...(about.id !== undefined && { sessionId: about.id }),
    ...(about.subject !== undefined && { subject: about.subject }),
    ...(about.tenant !== undefined && { tenant: about.tenant }),
    ...(context && { context: contextOf(context) }),
  } as SessionEvent)
}
