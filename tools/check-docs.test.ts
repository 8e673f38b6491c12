import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { compileProblems, here, markdownFiles, type Repository, textProblems } from './check-docs.ts'
import { codeBlocks, tableBelow } from './docs/markdown.ts'
import { root } from './files.ts'
import { exampleBelow } from './package-contents.ts'
import { run } from './steps.ts'

const files = new Map(markdownFiles().map((path) => [path, here.read(path)]))

describe('the documentation of this repository', () => {
  it('has links, paths, commands and test names that exist', () => {
    expect(files.has('README.md')).toBe(true)
    expect([...files].flatMap(([path, markdown]) => textProblems(path, markdown, here))).toEqual([])
  })

  it('has examples that compile against the built package', async () => {
    const { compiled, problems } = await compileProblems(files)
    expect(problems).toEqual([])
    expect(compiled).toBeGreaterThan(0)
  })

  it('prints what the README says it prints', async () => {
    const readme = files.get('README.md')!
    const example = exampleBelow(readme, 'In your code')!
    const { blocks } = codeBlocks(readme)
    const printed = blocks[blocks.findIndex((block) => block.code === example) + 1]!
    expect(printed.language).toBe('text')
    expect(await runExample(example)).toEqual({ code: 0, output: printed.code })
  })

  const tests = [...files].flatMap(([path, markdown]) =>
    codeBlocks(markdown).blocks.flatMap(({ info, line, code }) =>
      info === 'test' ? [[path, line, code] as const] : [],
    ),
  )
  it.each(tests)('has tests that pass: %s:%d', async (_path, _line, code) => {
    const done = await runExample(code)
    expect(done.code, done.output).toBe(0)
    expect(done.output).toMatch(/^(?:ℹ|#) pass [1-9]/m)
  })
  it('has some of these', () => {
    expect(tests.map(([path]) => path)).toContain('docs/testing.md')
  })
})

/** As a user's project would: the packages are found by their names. */
async function runExample(source: string): Promise<{ code: number; output: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-docs-'))
  try {
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    writeFileSync(join(folder, 'package.json'), '{ "type": "module", "private": true }')
    writeFileSync(join(folder, 'example.ts'), source)
    const args = ['--import', 'tsx', 'example.ts']
    return await run(process.execPath, args, { cwd: folder, timeoutMs: 50_000 })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const TEXTS: Readonly<Record<string, string>> = {
  'docs/b.md': '# One `two` three!\n\n## Again\n\n## Again\n',
  'x.ts': 'const one = 1\nconst two = 2\nconst three = 3\n',
}

describe('the check', () => {
  const repository: Repository = {
    scripts: ['build', 'test', 'test:long'],
    longFiles: ['tools/x.long.test.ts'],
    exists: (path) =>
      ['docs', 'docs/a.md', 'docs/b.md', 'tools/x.test.ts', 'tools/x.long.test.ts', 'x.ts'].includes(path),
    read: (path) => TEXTS[path] ?? "it('works', …)",
  }
  const problems = (markdown: string) => textProblems('docs/a.md', markdown, repository)

  it.each([
    ['a link to a file', '[b](b.md)'],
    ['a link to a folder', '[docs](../docs)'],
    ['a link to a heading', '[b](b.md#one-two-three), [b](b.md#again-1)'],
    ['a link to a heading of the same file', '# Here\n[b](#here)'],
    ['a link to the web', '[w](https://example.com/x)'],
    ['a link in a code block', '```text\n[b](gone.md)\n```'],
    ['a link in inline code', '`[b](gone.md)`'],
    ['a script', 'Run `npm run build`, then `npm test`.'],
    ['a path', '`tools/x.test.ts` and `tools/*.gone.ts`'],
    ['a test by its title', '`tools/x.test.ts` "works"'],
    ['a file of the long form that is said to be one', '`tools/x.long.test.ts`\n(`npm run test:long`)'],
    ['lines of a file', '```ts from x.ts\nconst two = 2\nconst three = 3\n```'],
  ])('accepts %s', (_what, markdown) => {
    expect(problems(markdown)).toEqual([])
  })

  it.each([
    ['a link to a file that is gone', '\n[b](gone.md)', 'docs/a.md:2 links to gone.md, which is not there'],
    ['a link out of the repository', '[b](../../x)', 'docs/a.md:1 links to ../../x, which is not there'],
    ['a link by reference', '[b]: gone.md', 'docs/a.md:1 links to gone.md, which is not there'],
    ['a heading that is gone', '[b](b.md#four)', 'docs/a.md:1 links to b.md#four, and there is no such heading'],
    ['a script that is gone', '`npm run gone`', 'docs/a.md:1 npm run gone: package.json has no such script'],
    ['a script in a block', '```sh\nnpm run gone\n```', 'docs/a.md:2 npm run gone: package.json has no such script'],
    ['npm start without one', '`npm start`', 'docs/a.md:1 npm start: package.json has no such script'],
    ['a path that is gone', '`tools/gone.ts`', 'docs/a.md:1 tools/gone.ts is not there'],
    ['a test that is gone', '`tools/x.test.ts` "gone"', 'docs/a.md:1 tools/x.test.ts has no test "gone"'],
    [
      'a file of the long form that looks like any other',
      '`tools/x.long.test.ts`',
      'docs/a.md:1 tools/x.long.test.ts is run by npm run test:long alone, which has to be said beside it',
    ],
    ['lines that are not the text', '```ts from x.ts\nconst two = 3\n```', 'docs/a.md:1 is not the text of x.ts'],
    ['half a line of a file', '```ts from x.ts\ntwo = 2\n```', 'docs/a.md:1 is not the text of x.ts'],
    [
      'lines that are not together',
      '```ts from x.ts\nconst one = 1\nconst three = 3\n```',
      'docs/a.md:1 is not the text of x.ts',
    ],
    ['lines of a file that is gone', '```ts from y.ts\nx\n```', 'docs/a.md:1 shows y.ts, which is not there'],
  ])('refuses %s', (_what, markdown, problem) => {
    expect(problems(markdown)).toEqual([problem])
  })

  it('compiles blocks and names the line in the document; leaves out what says it is a fragment', async () => {
    const markdown = [
      '# Title',
      '```ts',
      "import { opaque } from 'countersign'",
      "opaque({ audience: 'web' })",
      'opaque({ audiense: 1 })',
      '```',
      '```ts fragment',
      'const = …',
      '```',
      '```js',
      'not ( checked',
      '```',
      '```tsx',
      'export const line = <p>{nobody}</p>',
      '```',
    ].join('\n')
    const { compiled, problems } = await compileProblems(new Map([['docs/a.md', markdown]]))
    expect(compiled).toBe(2)
    expect(problems).toHaveLength(2)
    expect(problems[0]).toMatch(/^docs\/a\.md:5 TS2561: /)
    expect(problems[1]).toMatch(/^docs\/a\.md:14 TS2304: /)
  })

  it('reads tables', () => {
    const markdown = '# T\n\ntext\n\n| a | b |\n| --- | --- |\n| 1 | x \\| y |\n| 2 | z |\n\n## U\n| a |\n'
    expect(tableBelow(markdown, 'T')).toEqual([
      ['1', 'x \\| y'],
      ['2', 'z'],
    ])
    expect(() => tableBelow(markdown, 'U')).toThrow('no table below "U"')
    expect(() => tableBelow(markdown, 'V')).toThrow('no heading "V"')
  })
})
