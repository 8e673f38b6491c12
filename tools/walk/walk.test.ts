import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { isLong } from '../test-support/counts.ts'

const WALK = fileURLToPath(new URL('../walk.ts', import.meta.url))

function walk(...args: string[]): Promise<{ code: number | null; lines: string[]; errors: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', WALK, ...args])
  let output = ''
  let errors = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  child.stderr.on('data', (chunk) => {
    errors += chunk
  })
  return new Promise((resolve) =>
    child.once('close', (code) => resolve({ code, lines: output.trim().split('\n'), errors })),
  )
}

/** What says that a primary was killed, and the rest. */
function partsOf(lines: readonly string[]) {
  const said = lines.filter((line) => line.startsWith('failover: '))
  return { said, steps: lines.filter((line) => !said.includes(line)) }
}

test('the walk of the README passes on every store, with the same answers', { timeout: 600_000 }, async () => {
  const [sqlite, ...others] = await Promise.all(['sqlite', 'redis', 'postgres'].map((store) => walk('--store', store)))
  expect(sqlite!.lines.at(-1)).toMatch(/^\d+ passed, 0 failed$/)
  expect(sqlite!.code).toBe(0)
  // The same answers also while the primary that has the session is killed in the middle.
  const through = [walk('--store', 'redis-cluster', '--failover')]
  const calm = [walk('--store', 'redis-sentinel')]
  if (isLong) {
    await Promise.all([...through, ...calm])
    through.push(walk('--store', 'redis-sentinel', '--failover'))
    calm.push(walk('--store', 'redis-cluster'))
  }
  others.push(...(await Promise.all(calm)))
  for (const { lines, code } of others) expect([code, lines]).toEqual([0, sqlite!.lines])
  for (const { lines, code } of await Promise.all(through)) {
    const { said, steps } = partsOf(lines)
    expect([code, steps]).toEqual([0, sqlite!.lines])
    expect(said).toEqual([expect.stringMatching(/^failover: the primary was killed and replaced; .*outage: [1-9]/)])
  }
})

test.each([
  [['--store', 'oracle'], '"--store" must be one of: sqlite, redis, redis-cluster, redis-sentinel, postgres'],
  [['--store', 'sqlite', '--failover'], '"--failover" needs --store redis-cluster or redis-sentinel'],
])('a store that there is not, or that nobody takes over, is a usage error: %s', async (args, said) => {
  const { code, errors } = await walk(...args)
  expect(code).toBe(2)
  expect(errors).toContain(said)
})
