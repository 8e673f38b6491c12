// The suites run under other runners than ours. jest and mocha differ from these two in nothing that is used here.
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { run } from '../../../../tools/steps.ts'

test('node:test runs the suites, and counts what was skipped', async () => {
  const script = fileURLToPath(new URL('with-node-test.ts', import.meta.url))
  const flags = ['--import', 'tsx', '--test', '--test-reporter=tap']
  // Without the mark of the runner above it, which would make it report to that one.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const { code, output } = await run(process.execPath, [...flags, script], { env, timeoutMs: 55_000 })
  const total = (what: string) => Number(new RegExp(`^# ${what} (\\d+)$`, 'm').exec(output)?.[1])
  expect([code, total('fail'), total('skipped')], output.slice(-2_000)).toEqual([0, 0, 3])
  expect(total('pass')).toBeGreaterThan(200)
  expect(output).toContain('opaque: refresh: 8 cases [skipped: opaque slides instead')
})
