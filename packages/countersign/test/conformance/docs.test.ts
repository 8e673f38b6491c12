import { storeSuite } from 'countersign/conformance'
import { memoryStore } from 'countersign/stores/memory'
import { expect, test } from 'vitest'
import { codesOf, tableBelow } from '../../../../tools/docs/markdown.ts'
import { readRepositoryFile } from '../docs/source-types.ts'
import { BROKEN_APPS } from './broken-apps.ts'
import { BROKEN } from './broken-stores.ts'
import { outcomesOf, titlesOf } from './collect.ts'
import { ROUTES } from './node-http-app.ts'

const guide = readRepositoryFile('docs/write-your-own-store.md')
const testing = readRepositoryFile('docs/testing.md')

test('docs/write-your-own-store.md: what is said to be found is found, by that case', () => {
  const caught = BROKEN.map((broken) => `"${broken.caught}"`)
  const said = tableBelow(guide, 'Hold it to the suites').map((cells) => cells[1])
  expect(said.length).toBeGreaterThan(3)
  for (const title of said) expect(caught).toContain(title)
  expect(guide).toContain(`has ${BROKEN.length} broken stores, and each is found`)
})

test('docs/write-your-own-store.md: what was not tested is named as it says', async () => {
  const { once, lifecycle } = memoryStore()
  const outcomes = await outcomesOf((runner) =>
    storeSuite({
      runner,
      name: 'example',
      parts: ['once', 'lifecycle'],
      open: async () => ({ store: { once, lifecycle }, dispose: () => lifecycle.close() }),
    }),
  )
  const said = /The report names what was not tested: `([^`]+)`/.exec(guide)?.[1]
  expect(titlesOf(outcomes, 'skipped')).toContain(said)
})

test('docs/testing.md: the routes are those that the suite asks for', () => {
  const said = tableBelow(testing, 'A store or an adapter of your own').map(([route]) => codesOf(route!)[0])
  expect(said).toEqual(Object.keys(ROUTES))
  const promised = readRepositoryFile('packages/countersign/src/conformance/adapter/adapter-suite.ts')
  for (const route of said) expect(promised).toContain(`\`${route}\``)
  expect(testing).toContain(`has ${BROKEN_APPS.length} ways not to`)
})
