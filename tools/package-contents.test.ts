import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { contentProblems, exampleBelow, importsOf } from './package-contents.ts'

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

const good = {
  'package.json': JSON.stringify({
    name: 'p',
    version: '1.0.0',
    exports: { '.': './dist/a.js' },
    peerDependencies: { '@x/y': '1' },
  }),
  LICENSE: '',
  'README.md': '',
  'src/a.ts': '',
  'dist/a.js': "import 'node:fs'; import '@x/y/z'; import 'p/other'; import './b.js'",
  'dist/a.d.ts': '',
}

function problemsOf(changes: Record<string, string | undefined>): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-contents-'))
  folders.push(folder)
  for (const [path, text] of Object.entries({ ...good, ...changes })) {
    if (text === undefined) continue
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  return contentProblems(folder)
}

describe('the contents of a package', () => {
  it('accepts a good one', () => {
    expect(problemsOf({})).toEqual([])
  })

  it.each([
    ['a missing licence', { LICENSE: undefined }, 'LICENSE is missing'],
    ['an export without its file', { 'dist/a.js': undefined }, 'export .: ./dist/a.js does not exist'],
    ['an export without types', { 'dist/a.d.ts': undefined }, 'export .: ./dist/a.d.ts does not exist'],
    ['output of a deleted source', { 'dist/old.js': '' }, 'dist/old.js is stale: no src/old.ts'],
    ['a build record', { 'dist/.tsbuildinfo': '' }, 'dist/.tsbuildinfo does not belong into the package'],
    [
      'an undeclared import',
      { 'dist/a.js': "import 'zod'" },
      'dist/a.js imports zod, which package.json does not declare',
    ],
    [
      'an undeclared type',
      { 'dist/a.d.ts': "export type A = import('zod').A" },
      'dist/a.d.ts imports zod, which package.json does not declare',
    ],
  ])('refuses %s', (_what, changes, problem) => {
    expect(problemsOf(changes)).toEqual([problem])
  })
})

it('sees every kind of import', () => {
  const source = "import 'a'; export * from 'b'; const c = import('c'); const d = require('d'); type E = import('e').E"
  expect(importsOf(source).sort()).toEqual(['a', 'b', 'c', 'd', 'e'])
})

it('finds the example below its heading, and nowhere else', () => {
  const readme =
    '# A\n```ts\nno\n```\n## In your code, soon\nText\n```sh\nnpm i\n```\n```ts\nyes()\n```\n## B\n```ts\nno\n```\n'
  expect(exampleBelow(readme, 'In your code')).toBe('yes()\n')
  expect(exampleBelow(readme, 'Elsewhere')).toBeUndefined()
  expect(exampleBelow('## In your code\n## B\n```ts\nno\n```\n', 'In your code')).toBeUndefined()
})
