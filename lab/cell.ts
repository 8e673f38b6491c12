// What the lab finds out, and keeps as JSON.

/**
 * `good`: as one would want it. `late`: it holds from a later moment on, which was measured. `hole`: it does not hold.
 * `figure`: a price, neither good nor bad. `n/a`: the question does not arise in this row. `skipped`: something that it
 * needs is not there.
 */
export type Verdict = 'good' | 'late' | 'hole' | 'figure' | 'n/a' | 'skipped'

export interface Finding {
  readonly verdict: Verdict
  /** What stands in the table: a few words. */
  readonly text: string
  /** What was done and what came back. */
  readonly seen?: string
  /** Measured: milliseconds of a question about time, or the figure of a price. */
  readonly value?: number
}

export interface Cell extends Finding {
  readonly row: string
  readonly question: string
}

/** The file that `--compare` takes. */
export interface Results {
  readonly format: 1
  readonly about: {
    readonly date: string
    readonly node: string
    readonly cpu: string
    readonly seconds: number
    readonly rounds: number
    readonly options: string
  }
  readonly cells: readonly Cell[]
}

export const good = (text: string, seen?: string, value?: number): Finding => finding('good', text, seen, value)
export const late = (text: string, seen?: string, value?: number): Finding => finding('late', text, seen, value)
export const hole = (text: string, seen?: string, value?: number): Finding => finding('hole', text, seen, value)
export const figure = (text: string, value: number, seen?: string): Finding => finding('figure', text, seen, value)
export const none = (why: string): Finding => finding('n/a', why)
export const skipped = (why: string): Finding => finding('skipped', why)

/** The question could not be asked to its end, and nobody knows why: that is never as it has to be. */
export const BROKE = 'broke'
export const broken = (why: string): Finding => hole(BROKE, why.trim().slice(-600))

function finding(verdict: Verdict, text: string, seen?: string, value?: number): Finding {
  return { verdict, text, ...(seen !== undefined && { seen }), ...(value !== undefined && { value }) }
}
