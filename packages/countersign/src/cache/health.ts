import type { ChangeFeed, FeedStatus } from '../stores/change-feed.ts'

/** What the near cache does, in plain numbers since the start. For `health()` and metrics. */
export interface NearCacheHealth {
  /** Whether copies are served at this moment. False also in an idle process, whose next check begins again. */
  readonly isOn: boolean
  /**
   * How the store tells of changes: by itself (`push`, Redis), asked five times a second (`poll`, Postgres), asked at each
   * use of a copy (`probe`, SQLite), or in this very process (`own`, memory). Absent while no copies are kept.
   */
  readonly mode?: ChangeFeed['mode']
  /** Why it is off, or does less than it could. Never a secret. */
  readonly warnings: readonly string[]
  /** The ways on which the store tells of changes, with the time since the last answered fence was asked. */
  readonly lines: FeedStatus['lines']
  /** Tokens that are remembered, with or without a copy of how they stand. */
  readonly entries: number
  /** Heap that they take, as an estimate. */
  readonly bytes: number
  /** Checks that were answered without asking the store. */
  readonly hits: number
  /** Checks, and looks of `watch`, that asked it. */
  readonly misses: number
  /** Answers of the store that were kept. */
  readonly kept: number
  /** Copies that were dropped, by reason. */
  readonly drops: {
    /** The store told of a change. */
    readonly changed: number
    /** This process changed the session or another one of its subject. */
    readonly own: number
    /** The line on which changes are told broke. */
    readonly reset: number
    /** Thirty seconds old. */
    readonly aged: number
    /** Tokens forgotten because the keyring changed. */
    readonly keys: number
    /** Tokens forgotten to make room. */
    readonly evicted: number
  }
}
