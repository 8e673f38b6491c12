// What the fault matrix is made of.
import type { Random } from '../test-support/random.ts'

/** One row: a fault, and when it counts as passed. Every proof is scored by itself, and all have to hold. */
export interface Row {
  readonly id: string
  readonly fault: string
  readonly passes: string
  readonly proofs: readonly Proof[]
}

export type Proof = Tests | Scenario | Elsewhere | Missing

/** Tests that `npm test` runs as well: they are run by Vitest, not written twice. */
export interface Tests {
  readonly is: 'tests'
  readonly file: string
  /** The title as it stands in the file, or where a suite makes it, in `source`; `%s` stands for anything. */
  readonly name: string
  readonly source?: string
}

export interface Scenario {
  readonly is: 'scenario'
  readonly what: string
  /** @returns What was seen, in a few words with numbers. Throws when it does not pass. */
  run(context: Context): Promise<string>
}

/** Written down, and cannot run on the programs that are here. Counts as skipped. */
export interface Elsewhere {
  readonly is: 'elsewhere'
  readonly what: string
  readonly needs: string
}

/** Demanded by the matrix and not built. Counts as failed. */
export interface Missing {
  readonly is: 'missing'
  readonly what: string
}

export interface Context {
  readonly isShort: boolean
  readonly seed: number
  readonly random: Random
  readonly soakMs: number
  /** How many lives the simulator lives. */
  readonly seeds: number
  /** Undone in reverse order when the scenario is over, however it ends. */
  cleanUp(undo: () => unknown): void
  say(line: string): void
}

export const tests = (file: string, name: string, source?: string): Tests => ({
  is: 'tests',
  file,
  name,
  ...(source !== undefined && { source }),
})
export const scenario = (what: string, run: Scenario['run']): Scenario => ({ is: 'scenario', what, run })
export const elsewhere = (what: string, needs: string): Elsewhere => ({ is: 'elsewhere', what, needs })

export const titleOf = (proof: Proof) => (proof.is === 'tests' ? proof.name : proof.what)

/** Fails a scenario, with what was seen. */
export function demand(holds: boolean, otherwise: string | (() => string)): asserts holds {
  if (!holds) throw new Error(typeof otherwise === 'string' ? otherwise : otherwise())
}
