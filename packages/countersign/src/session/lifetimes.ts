import { type Duration, durationMs } from '../internal/duration.ts'
import { invalidOption } from '../internal/errors.ts'

/** How long sessions last. `absolute` has no infinite value; without `idle` only `absolute` counts. */
export type Timeouts = { absolute: Duration; idle?: Duration }

/** The reauthentication limits of NIST SP 800-63B-4 (sections 2.1.3, 2.2.3, 2.3.3) by the level they belong to. */
export type TimeoutPreset = 'aal1' | 'aal2' | 'aal3'

export interface Lifetimes {
  readonly absoluteMs: number
  /** What is promised: a session used within it is not refused for idleness. `null` = no idle timeout. */
  readonly idleMs: number | null
  /** The idle timeout belongs to an assurance level, and "remember me" does not lengthen it. */
  readonly idleIsFirm: boolean
}

/**
 * A use is written only when more than a tenth of the idle window has gone by, so the stored window is a tenth longer
 * than the promise, and a refusal falls between 1.0 and 1.1 × idle.
 */
export const IDLE_SLACK = 1.1

const HOUR = 3_600_000
/** Divided by the slack, so that the refusal never falls later than what NIST allows. */
const PRESETS: Readonly<Record<TimeoutPreset, Lifetimes>> = {
  aal1: { absoluteMs: 30 * 24 * HOUR, idleMs: null, idleIsFirm: false },
  aal2: { absoluteMs: 24 * HOUR, idleMs: Math.floor(HOUR / IDLE_SLACK), idleIsFirm: true },
  aal3: { absoluteMs: 12 * HOUR, idleMs: Math.floor((15 * 60_000) / IDLE_SLACK), idleIsFirm: true },
}

export function resolveLifetimes(timeouts: TimeoutPreset | Timeouts): Lifetimes {
  if (typeof timeouts === 'string') {
    if (!Object.hasOwn(PRESETS, timeouts))
      throw invalidOption('timeouts', "must be 'aal1', 'aal2', 'aal3' or an object")
    return PRESETS[timeouts]
  }
  if (typeof timeouts !== 'object' || timeouts === null) throw invalidOption('timeouts', 'is required')
  for (const name of Object.keys(timeouts)) {
    if (name !== 'absolute' && name !== 'idle') throw invalidOption(`timeouts.${name}`, 'is not an option')
  }
  const absoluteMs = durationMs(timeouts.absolute, 'timeouts.absolute', 1_000)
  const idleMs = timeouts.idle === undefined ? null : durationMs(timeouts.idle, 'timeouts.idle', 1_000)
  if (idleMs !== null && idleMs > absoluteMs)
    throw invalidOption('timeouts.idle', 'must not be longer than "timeouts.absolute"')
  return { absoluteMs, idleMs, idleIsFirm: false }
}

/**
 * The promised idle window of one session: a persistent one is as long as its refresh token, except under `aal2` and
 * `aal3`, whose limits hold for everybody. `null` = none.
 */
export function idleWindowMs(lifetimes: Lifetimes, persistent: boolean, refreshMs: number): number | null {
  return persistent && !lifetimes.idleIsFirm ? refreshMs || PERSISTENT_MS : lifetimes.idleMs
}

/** What "remember me" means for a strategy without refresh tokens: the default refresh lifetime. */
const PERSISTENT_MS = 7 * 24 * HOUR

/** When a session used at `nowMs` is refused for idleness. */
export function idleDeadlineMs(windowMs: number | null, absoluteAtMs: number, nowMs: number): number {
  return windowMs === null ? absoluteAtMs : Math.min(nowMs + Math.round(windowMs * IDLE_SLACK), absoluteAtMs)
}

/** A use later than this has to be written: more than a tenth of the window has gone by since the last one written. */
export function touchAfterMs(windowMs: number | null, lastSeenAtMs: number): number {
  return windowMs === null ? Number.POSITIVE_INFINITY : lastSeenAtMs + windowMs * (IDLE_SLACK - 1)
}

/**
 * The promised idle window that a record was last written with, for a reader that does not know the timeouts of the
 * sessions it checks. `null` when there is nothing to extend: no idle timeout, or the absolute one comes first.
 */
export function writtenWindowMs(record: {
  readonly idleAtMs: number
  readonly absoluteAtMs: number
  readonly lastSeenAtMs: number
}): number | null {
  if (record.idleAtMs >= record.absoluteAtMs) return null
  return Math.max(0, Math.round((record.idleAtMs - record.lastSeenAtMs) / IDLE_SLACK))
}
