// Shows that the published store suite finds what is broken, and says what it did not look at.
import { type OpenedStore, type StoreSuiteOptions, storeSuite } from 'countersign/conformance'
import type { Store } from 'countersign/stores/contract'
import { memoryStore } from 'countersign/stores/memory'
import { describe, expect, test } from 'vitest'
import { BROKEN } from './broken-stores.ts'
import { outcomesOf, titlesOf } from './collect.ts'

const NO_REOPEN = {
  reason: 'it ends with its process',
  tests: ['reopening finds everything', 'reopening finds one-time tokens and claims, and what was taken stays taken'],
}

const opening = (change: (store: Store) => Partial<Store>) => async (): Promise<OpenedStore> => {
  const store = memoryStore()
  return { store: change(store), dispose: () => store.lifecycle.close() }
}
const run = (change: (store: Store) => Partial<Store>, more: Partial<StoreSuiteOptions> = {}) =>
  outcomesOf((runner) =>
    storeSuite({ runner, name: 'example', rounds: 2, open: opening(change), skip: [NO_REOPEN], ...more }),
  )

test('the memory store passes, and the skips say why', async () => {
  const outcomes = await run((store) => store)
  expect(titlesOf(outcomes, 'failed')).toEqual([])
  expect(titlesOf(outcomes, 'passed').length).toBeGreaterThan(110)
  const skipped = NO_REOPEN.tests.map((title) => `${title} [skipped: ${NO_REOPEN.reason}]`)
  expect([...titlesOf(outcomes, 'skipped')].sort()).toEqual(skipped.sort())
})

describe('a store in which', () => {
  test.each(BROKEN.map((broken) => [broken.how, broken] as const))('%s is found', async (_how, broken) => {
    const outcomes = await run(broken.of)
    expect(titlesOf(outcomes, 'failed')).toContain(broken.caught)
    // Not because the suite as such fell over.
    expect(titlesOf(outcomes, 'passed').length).toBeGreaterThan(20)
  })
})

describe('a store that has only some parts', () => {
  test.each([
    [['sessions'], ['revocations', 'accounts', 'once', 'lifecycle', 'sessions over a restart']],
    [
      ['sessions', 'revocations', 'lifecycle'],
      ['accounts', 'once'],
    ],
    [['accounts'], ['sessions', 'revocations', 'once', 'lifecycle', 'sessions over a restart']],
    [
      ['once', 'lifecycle'],
      ['sessions', 'revocations', 'accounts', 'sessions over a restart'],
    ],
  ] as const)('%j: what it has is tested, what it lacks is said', async (parts, notRun) => {
    const only = (store: Store) => Object.fromEntries(parts.map((part) => [part, store[part]])) as Partial<Store>
    const restarts = [
      { reason: NO_REOPEN.reason, tests: parts.includes('once' as never) ? NO_REOPEN.tests.slice(1) : [] },
      {
        reason: NO_REOPEN.reason,
        tests: ['sessions', 'lifecycle'].every((part) => parts.includes(part as never))
          ? NO_REOPEN.tests.slice(0, 1)
          : [],
      },
    ]
    const outcomes = await run(only, { parts, skip: restarts })
    expect(titlesOf(outcomes, 'failed')).toEqual([])
    expect(titlesOf(outcomes, 'passed').length).toBeGreaterThan(5)
    const said = titlesOf(outcomes, 'skipped').filter((title) => title.includes('the store has no '))
    expect(said.map((title) => title.split(':')[0])).toEqual(notRun)
    for (const title of said)
      expect(title).toMatch(/^[\w ]+: \d+ cases \[skipped: the store has no \w+( and no \w+)*\]$/)
  })

  test('a part that is not named is no way to hide it, and one that is not there is missed', async () => {
    const title = 'the store has the parts that it is said to have, and no others'
    const all = await run((store) => store, { parts: ['sessions'], skip: [] })
    expect(titlesOf(all, 'failed')).toEqual([title])
    const some = await run(({ sessions, lifecycle }) => ({ sessions, lifecycle }), {
      parts: ['sessions', 'lifecycle', 'once'],
    })
    expect(titlesOf(some, 'failed')).toContain(title)
  })
})

describe('misuse is refused before anything is declared', () => {
  const invalid = async (more: object, message: string) =>
    expect(run((store) => store, more)).rejects.toMatchObject({
      code: 'ERR_CONFIG_INVALID',
      message: expect.stringContaining(message),
    })

  test('a skip without a reason, with one that ends early, or of a case that is not there', async () => {
    const tests = ['reopening finds everything']
    for (const reason of ['', ' ', '-', 'a] b', undefined]) {
      await invalid({ skip: [{ reason, tests }] }, 'needs a "reason"')
    }
    await invalid({ skip: [{ reason: 'x', tests: ['update: works'] }] }, 'do not exist here: update: works')
    await invalid(
      { parts: ['accounts'], skip: [{ reason: 'x', tests }] },
      'do not exist here: reopening finds everything',
    )
  })

  test('parts that make no sense, no runner, an option that does not exist', async () => {
    await invalid({ parts: [] }, '"parts"')
    await invalid({ parts: ['session'] }, '"parts"')
    await invalid({ parts: ['revocations'] }, 'without sessions')
    await invalid({ rounds: 0 }, '"rounds"')
    await invalid({ skips: [] }, '"storeSuite.skips"')
    await invalid({ runner: { describe, it: test } }, '"runner"')
    await invalid({ runner: undefined }, '"runner"')
  })
})

test('a store that does not open fails every case, and says why', async () => {
  const outcomes = await outcomesOf((runner) =>
    storeSuite({
      runner,
      name: 'example',
      async open() {
        throw new Error('no server')
      },
    }),
  )
  expect(titlesOf(outcomes, 'passed')).toEqual([])
  expect(outcomes[0]!.error?.message).toBe('no server')
})
