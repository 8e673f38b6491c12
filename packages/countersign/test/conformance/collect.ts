// A test runner that runs nothing by itself: for looking at what a suite says of something that is broken.
import type { Runner } from 'countersign/conformance'

export interface Outcome {
  readonly title: string
  readonly is: 'passed' | 'failed' | 'skipped'
  readonly error?: Error
}

const LIMIT_MS = 30_000

/** Declares a suite and runs its cases one after the other. */
export async function outcomesOf(declare: (runner: Runner) => void): Promise<readonly Outcome[]> {
  const cases: { title: string; run?: () => Promise<void> }[] = []
  const ends: (() => Promise<void>)[] = []
  const it = Object.assign((title: string, run: () => Promise<void>) => cases.push({ title, run }), {
    skip: (title: string) => cases.push({ title }),
  })
  declare({ describe: (_title, inside) => inside(), it, afterAll: (end) => ends.push(end) })

  const outcomes: Outcome[] = []
  for (const { title, run } of cases) {
    if (!run) {
      outcomes.push({ title, is: 'skipped' })
      continue
    }
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not within ${LIMIT_MS} ms`)), LIMIT_MS)
    })
    try {
      await Promise.race([run(), late])
      outcomes.push({ title, is: 'passed' })
    } catch (error) {
      outcomes.push({ title, is: 'failed', error: error as Error })
    } finally {
      clearTimeout(timer)
    }
  }
  for (const end of ends) await end()
  return outcomes
}

export const titlesOf = (outcomes: readonly Outcome[], is: Outcome['is']): readonly string[] =>
  outcomes.flatMap((one) => (one.is === is ? [one.title] : []))
