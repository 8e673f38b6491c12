// Shows that the published strategy suite finds a store that breaks a promise, and says what it did not look at.
import { strategySuite } from 'countersign/conformance'
import type { Store } from 'countersign/stores/contract'
import { memoryStore } from 'countersign/stores/memory'
import { expect, test } from 'vitest'
import { BROKEN } from './broken-stores.ts'
import { outcomesOf, titlesOf } from './collect.ts'

const run = (change: (store: Store) => Partial<Store>, more: object = {}) =>
  outcomesOf((runner) =>
    strategySuite({
      runner,
      name: 'example',
      async open() {
        const store = memoryStore()
        return { store: change(store), dispose: () => store.lifecycle.close() }
      },
      ...more,
    }),
  )

test.each([
  ['end leaves no tombstone', 'allowlist: a logout is a logout, and every later use says why'],
  ['setRoles adds at once', 'opaque: a role that is lost is lost at once; one that is gained comes with fresh secrets'],
])('a store in which %s is found', async (how, caught) => {
  const { of } = BROKEN.find((broken) => broken.how === how)!
  const outcomes = await run(of)
  expect(titlesOf(outcomes, 'failed')).toContain(caught)
  expect(titlesOf(outcomes, 'passed').length).toBeGreaterThan(20)
})

test('a store of sessions alone: no denylist, and everything else passes', async () => {
  const outcomes = await run(({ sessions }) => ({ sessions }), { parts: ['sessions'] })
  expect(titlesOf(outcomes, 'failed')).toEqual([])
  expect(titlesOf(outcomes, 'skipped')).toEqual([
    'opaque: refresh: 8 cases [skipped: opaque slides instead, there is no refresh token]',
    'denylist: 21 cases [skipped: the store has no revocations]',
    'denylist: refresh: 8 cases [skipped: the store has no revocations]',
  ])
})

test('a store that sessions are not kept in is refused', async () => {
  await expect(run(({ once }) => ({ once }), { parts: ['once'] })).rejects.toMatchObject({ code: 'ERR_CONFIG_INVALID' })
  await expect(run((store) => store, { strategies: [] })).rejects.toMatchObject({ code: 'ERR_CONFIG_INVALID' })
})
