// What a scenario that broke an invariant has to show, so that also a log that was cut off tells: one line that says which
// invariant, which session and which calls, and the history of that session alone.
import { INVARIANTS, type Violation } from './check.ts'
import { type History, lineOf } from './history.ts'

/** Thrown by a scenario: the message is one line. */
export class Broken extends Error {
  readonly history: readonly string[]

  constructor(verdict: string, history: readonly string[]) {
    super(verdict)
    this.history = history
  }
}

/** Calls that are named in the one line. */
const MOST_CALLS = 3

export function verdictOf({ invariant, what, calls }: Violation): string {
  const named = calls.slice(0, MOST_CALLS).map((call) => `[${lineOf(call).trim()}]`)
  return `${invariant} (${INVARIANTS[invariant]}): ${[what, ...named].join(' ')}`
}

/** The first violation with the history of its session, and how many more there are. */
export function brokenBy(history: History, violations: readonly Violation[]): Broken {
  const [first] = violations
  if (!first) throw new Error('nothing was violated')
  const others = violations.length === 1 ? '' : ` and ${violations.length - 1} more`
  return new Broken(`${verdictOf(first)}${others}`, history.trace(first, first.calls))
}
