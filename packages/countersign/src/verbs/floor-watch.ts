import { type Clock, elapsedMs, type Moment, momentOf } from '../internal/runtime.ts'
import type { Floor, SessionStore } from '../stores/contract.ts'

/** From this age on a copy of the floor is renewed beside the call that needs it. */
const RENEW_AFTER_MS = 250
/** From this age on a copy is not used any more: `revokeEveryone` promises one second. */
export const MAX_FLOOR_AGE_MS = 1_000

/**
 * This process's copy of the store's floor. Fences bring it where there are any; else calls keep it young: there is no
 * timer, so an idle process asks nothing, and the first call after a pause asks once, side by side with its own question.
 */
export interface FloorWatch {
  /** The copy, if it is young enough. Renews it in the background when it is getting old. */
  now(): Floor | undefined
  /** The same for whoever has just looked at both clocks: looking costs more than the answer. */
  at(monotonicMs: number, wallMs: number): Floor | undefined
  /** A floor that somebody else asked for. */
  told(floor: Floor, askedAt: Moment): void
  /** The floor as it was last told, however old: nothing at or below it is live. */
  known(): Floor | undefined
  /** The copy, asking the store when it is too old. No answer is a fault. */
  fresh(): Promise<Floor>
}

/**
 * @param onLost - Told when the store answers with another marker, or with a lower floor than it did: it has lost data.
 */
export function watchFloor(
  sessions: Pick<SessionStore, 'floor'>,
  clock: Clock,
  onLost: () => void = () => undefined,
): FloorWatch {
  let copy: { readonly floor: Floor; readonly askedAt: Moment; readonly knownSinceMs: number } | undefined
  let asking: { readonly answer: Promise<Floor>; readonly askedAt: Moment } | undefined

  const told = (answer: Floor, askedAt: Moment): Floor => {
    const before = copy
    if (!before) {
      copy = { floor: answer, askedAt, knownSinceMs: clock.monotonicMs() }
      return answer
    }
    const floor = notLower(answer, before.floor)
    const isLess = answer.marker !== before.floor.marker || floor !== answer
    // Questions go over several connections and overtake each other. Only one that was asked when the copy was there
    // already, and is answered with less, shows that something was lost.
    const isLater = askedAt.monotonicMs >= before.knownSinceMs
    if (isLess && isLater) onLost()
    // An older question may be answered after a newer one.
    if (isLater || (!isLess && askedAt.monotonicMs >= before.askedAt.monotonicMs)) {
      copy = { floor, askedAt, knownSinceMs: clock.monotonicMs() }
    }
    return floor
  }

  const ask = (): Promise<Floor> => {
    // A question under way is shared, unless it is so old that its answer may come from before the second we promise.
    if (asking && elapsedMs(clock, asking.askedAt) < MAX_FLOOR_AGE_MS) return asking.answer
    // The age counts from the question: the answer may describe any moment after it.
    const askedAt = momentOf(clock)
    const answer = sessions.floor().then((floor) => told(floor, askedAt))
    const mine = { answer, askedAt }
    asking = mine
    const settled = () => {
      if (asking === mine) asking = undefined
    }
    answer.then(settled, settled)
    return answer
  }

  const at = (monotonicMs: number, wallMs: number): Floor | undefined => {
    if (!copy) return undefined
    const { askedAt, floor } = copy
    const age = Math.max(monotonicMs - askedAt.monotonicMs, wallMs - askedAt.wallMs)
    // A background renewal that fails is told to the call that finds the copy too old.
    if (age >= RENEW_AFTER_MS && age < MAX_FLOOR_AGE_MS) ask().catch(() => undefined)
    return age < MAX_FLOOR_AGE_MS ? floor : undefined
  }

  return {
    at,
    now: () => at(clock.monotonicMs(), clock.nowMs()),
    told: (floor, askedAt) => void told(floor, askedAt),
    known: () => copy?.floor,
    fresh() {
      const young = this.now()
      return young ? Promise.resolve(young) : ask()
    },
  }
}

/** What was ended stays ended for this process, also when the store has forgotten it. */
function notLower(told: Floor, known: Floor): Floor {
  return told.notBeforeMs >= known.notBeforeMs ? told : { ...known, marker: told.marker }
}
