import { invalidOption } from '../internal/errors.ts'

/**
 * The part of a test runner that the suites use. The modules `vitest`, `node:test` and `@jest/globals` fit as they are
 * (`import * as runner from 'node:test'`), and so do the globals of mocha.
 *
 * Cases repeat races and fill stores, so give them a minute each: runners that stop a test after 5 seconds by default
 * (vitest, jest) need a longer limit.
 */
export type Runner = {
  describe(name: string, declare: () => void): unknown
  readonly it: DeclareCase & { readonly skip: DeclareCase }
} & ({ afterAll(run: () => Promise<void>): unknown } | { after(run: () => Promise<void>): unknown })

type DeclareCase = (name: string, run: () => Promise<void>) => unknown

/** Cases that something cannot pass. They are declared as skipped, with `[skipped: <reason>]` in their names. */
export interface Skip {
  /** Why, in words: at least one letter or digit, and no `]`. */
  readonly reason: string
  /** Titles of cases, exactly. One that does not exist is an error. */
  readonly tests: readonly string[]
}

/** One case of a suite. It is passed when `run` resolves. */
export interface Case {
  readonly title: string
  readonly run: () => Promise<void>
}

/** Cases that are run together, or not at all. */
export interface Group {
  readonly title: string
  readonly cases: readonly Case[]
  /** Why none of them is run. Then one skipped case stands for all of them. */
  readonly notRun?: string
}

/**
 * Hands the cases to the runner.
 *
 * @param end - Called when all of them have run.
 * @throws CountersignError `ERR_CONFIG_INVALID` when the runner lacks something, a skip has no reason, or it names a case
 * that does not exist or is not run anyway.
 */
export function declareSuite(
  runner: Runner,
  title: string,
  groups: readonly Group[],
  skip: readonly Skip[],
  end: () => Promise<void>,
): void {
  const after = endHook(runner)
  const reasons = reasonsOf(skip)
  const run = groups.filter((group) => group.notRun === undefined)
  const titles = new Set(run.flatMap((group) => group.cases.map((one) => one.title)))
  const stray = [...reasons.keys()].filter((name) => !titles.has(name))
  if (stray.length > 0) throw invalidOption('skip', `names cases that do not exist here: ${stray.join('; ')}`)

  runner.describe(title, () => {
    for (const group of groups) {
      if (group.notRun !== undefined) {
        runner.it.skip(`${group.title}: ${group.cases.length} cases [skipped: ${group.notRun}]`, async () => {})
        continue
      }
      for (const one of group.cases) {
        const reason = reasons.get(one.title)
        // Runners look at the parameters of what they are given: a callback, a context. Ours has none.
        if (reason === undefined) runner.it(one.title, () => one.run())
        else runner.it.skip(`${one.title} [skipped: ${reason}]`, () => one.run())
      }
    }
    after(end)
  })
}

function endHook(runner: Runner): (run: () => Promise<void>) => unknown {
  const { describe, it, afterAll, after } = (runner ?? {}) as Partial<Record<string, any>>
  const end = afterAll ?? after
  if (![describe, it, it?.skip, end].every((one) => typeof one === 'function')) {
    throw invalidOption('runner', 'must have describe, it, it.skip, and afterAll or after')
  }
  return end
}

function reasonsOf(skip: readonly Skip[]): ReadonlyMap<string, string> {
  const reasons = new Map<string, string>()
  for (const { reason, tests } of skip) {
    if (typeof reason !== 'string' || !/^[^\]]*\w[^\]]*$/.test(reason)) {
      throw invalidOption('skip', 'needs a "reason" in words, without "]", for every entry')
    }
    for (const title of tests) reasons.set(title, reason)
  }
  return reasons
}
