// Shows that the published adapter suite works: an application on node:http passes it, and broken ones do not.
import { adapterSuite } from 'countersign/conformance'
import * as runner from 'vitest'
import { BROKEN_APPS } from './broken-apps.ts'
import { outcomesOf, titlesOf } from './collect.ts'
import { startNodeHttp } from './node-http-app.ts'

const notRun = {
  streams: 'it has none',
  forgery: 'it looks at the origin of what changes something, and has no form tokens',
  guards: 'it has roles and nothing else',
  pages: 'it is for programs',
}
adapterSuite({ runner, name: 'node:http', start: (sessions) => startNodeHttp(sessions), notRun })

runner.describe('an application in which', () => {
  runner.test.each(BROKEN_APPS.map((app) => [app.how, app] as const))('%s is found', async (_how, { of, caught }) => {
    const outcomes = await outcomesOf((collecting) =>
      adapterSuite({
        runner: collecting,
        name: 'broken',
        start: (sessions) => startNodeHttp(sessions, of()),
        strategies: ['allowlist'],
        notRun,
      }),
    )
    runner.expect(titlesOf(outcomes, 'failed')).toContain(caught)
    // Not because the suite as such fell over.
    runner.expect(titlesOf(outcomes, 'passed').length).toBeGreaterThan(10)
  })
})
