import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { codeBlocks } from './docs/markdown.ts'
import { root } from './files.ts'
import { run } from './steps.ts'
import { type ServerProcess, startServer } from './test-support/server-process.ts'

// Runs the shell blocks of "The walk" as they stand in the README, against a real server. Only the address, and how
// long a grace lasts, are others: ten seconds would be long here.
describe('the walk of the README', async () => {
  const readme = await readFile(join(root, 'README.md'), 'utf8')
  const section = readme.slice(readme.indexOf('\n## The walk\n') + 1).split(/^## (?!The walk)/m)[0]!
  const lines = codeBlocks(section)
    .blocks.filter((block) => block.language === 'sh')
    .flatMap((block) => block.code.split('\n'))
    .map((line) => line.replace(/^URL=.*/, 'URL="$TEST_URL"').replace(/^sleep 11$/, 'sleep 1.2'))
  const expected = lines.flatMap((line) => (line.startsWith('# → ') ? [line.slice(4)] : []))
  const before = (index: number) => lines.slice(0, index).findLast((line) => !line.startsWith('#'))
  const names = lines.flatMap((line, index) => (line.startsWith('# → ') ? [before(index)!] : []))

  let dir: string
  let server: ServerProcess
  let shown: readonly string[] = []
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'countersign-readme-walk-'))
    server = await startServer(['--data', join(dir, 'data'), '--grace', '1s', '--log-level', 'warn'])
    const script = lines.map((line) => (line.startsWith('# → ') ? 'echo "@@@"' : line)).join('\n')
    const env = { ...process.env, TMPDIR: dir, TEST_URL: server.url, COUNTERSIGN_DATA: join(dir, 'data') }
    const { output } = await run('bash', ['-u', '-c', script], { env, timeoutMs: 170_000 })
    shown = output.split('@@@\n')
  })
  afterAll(async () => {
    await server?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  it('has every step', () => {
    expect(expected.length).toBeGreaterThan(15)
    expect(shown).toHaveLength(expected.length + 1)
    expect(shown.at(-1)).toBe('')
  })

  it.each(expected.map((text, index) => [names[index]!, text, index] as const))('%s → %s', (_name, text, index) => {
    // A status, then parts of the body; or the words that a command prints.
    const parts = /^\d{3}\b/.test(text) ? text.split(' ') : [text]
    for (const part of parts) expect(shown[index]).toContain(part)
  })
})
