// Prevents documentation that was true once: links and paths that lead nowhere, commands and tests that do not exist,
// and examples that no longer compile. `check-docs.test.ts` applies it to every Markdown file of the repository.
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, posix } from 'node:path'
import { anchorsOf, codeBlocks, linksOf } from './docs/markdown.ts'
import { filesBelow, packageFolders, root } from './files.ts'
import { LONG_FILES } from './long-files.ts'
import { bin, run } from './steps.ts'

/** What a check needs of the repository; the tests hand over small ones. Paths are relative to it. */
export interface Repository {
  /** Names of the scripts in package.json. */
  readonly scripts: readonly string[]
  /** Test files that `npm test` leaves out. */
  readonly longFiles: readonly string[]
  exists(path: string): boolean
  read(path: string): string
}

export const here: Repository = {
  scripts: Object.keys(
    (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }).scripts,
  ),
  longFiles: Object.keys(LONG_FILES),
  exists: (path) => existsSync(join(root, path)),
  read: (path) => (statSync(join(root, path)).isFile() ? readFileSync(join(root, path), 'utf8') : ''),
}

/** Every Markdown file that is ours. */
export function markdownFiles(): string[] {
  const atRoot = readdirSync(root)
  const inPackages = packageFolders().map((name) => `packages/${name}/README.md`)
  const all = [...atRoot, ...inPackages.filter(here.exists), ...filesBelow('docs')]
  return all.filter((path) => path.endsWith('.md')).sort()
}

/** npm's own words, which need no `run`. */
const SHORT = ['test', 'start']
/** Folders that a path in inline code may begin with: `` `packages/…/issue.ts` `` is a promise that it is there. */
const PATH = /^(?:packages|tools|docs|bench|examples|\.ci)\/[\w@.*/-]+$/

/**
 * What is wrong with the text of one file. Code blocks in TypeScript are for {@link compileProblems}, but for those that
 * show a piece of a file: ```` ```ts from examples/x.ts ````, whole lines of it, as they are.
 */
export function textProblems(path: string, markdown: string, repository: Repository): string[] {
  const { blocks, prose } = codeBlocks(markdown)
  const problems: string[] = []
  const report = (line: number, problem: string) => problems.push(`${path}:${line} ${problem}`)

  for (const { target, line } of linksOf(prose)) {
    if (/^[a-z][a-z0-9+.-]*:/i.test(target)) continue
    const [file = '', anchor] = target.split('#')
    const to = file === '' ? path : posix.join(posix.dirname(path), decodeURIComponent(file))
    if (to.startsWith('..') || !repository.exists(to)) report(line, `links to ${target}, which is not there`)
    else if (anchor && to.endsWith('.md')) {
      const there = codeBlocks(to === path ? markdown : repository.read(to)).prose
      if (!anchorsOf(there).has(anchor)) report(line, `links to ${target}, and there is no such heading`)
    }
  }

  for (const { info, code, line } of blocks) {
    const file = /^from (\S+)$/.exec(info)?.[1]
    if (file === undefined) continue
    if (!repository.exists(file)) report(line, `shows ${file}, which is not there`)
    else if (!`\n${repository.read(file)}`.includes(`\n${code}`)) report(line, `is not the text of ${file}`)
  }

  const shell = blocks.filter((block) => /^(?:sh|bash|shell|console)$/.test(block.language))
  const commands = [
    ...prose.split('\n').map((text, index) => ({ text, line: index + 1 })),
    ...shell.flatMap(({ code, line }) => code.split('\n').map((text, index) => ({ text, line: line + 1 + index }))),
  ]
  for (const { text, line } of commands) {
    for (const [, script] of text.matchAll(/\bnpm run (?:-s )?([a-z][\w:-]*)/g)) {
      if (!repository.scripts.includes(script!)) report(line, `npm run ${script}: package.json has no such script`)
    }
    for (const word of SHORT) {
      const used = new RegExp(`\\bnpm ${word}\\b`).test(text)
      if (used && !repository.scripts.includes(word)) report(line, `npm ${word}: package.json has no such script`)
    }
  }

  const lines = prose.split('\n')
  /** In the same line, or where that is broken in the next. */
  const isLongHere = (index: number) => `${lines[index]} ${lines[index + 1] ?? ''}`.includes('npm run test:long')
  for (const [index, text] of lines.entries()) {
    for (const [, code] of text.matchAll(/`([^`]+)`/g)) {
      if (PATH.test(code!) && !code!.includes('*') && !repository.exists(code!))
        report(index + 1, `${code} is not there`)
      if (repository.longFiles.includes(code!) && !isLongHere(index))
        report(index + 1, `${code} is run by npm run test:long alone, which has to be said beside it`)
    }
    // `file.ts` "title": the file has a test of that title.
    for (const [, file, title] of text.matchAll(/`([^`\s]+\.ts)` "([^"]+)"/g)) {
      const found = repository.exists(file!) && repository.read(file!).includes(title!)
      if (!found) report(index + 1, `${file} has no test "${title}"`)
    }
  }
  return problems
}

/**
 * Compiles the TypeScript of all files against the built package, each block as a module of its own, in the strict
 * settings of this repository. A block that is only a piece of a program says so: ```` ```ts fragment ````. A piece of a
 * file (`from …`) is compiled with that file.
 *
 * @returns How many blocks were compiled, and one line per error, with the line of the Markdown file.
 */
export async function compileProblems(
  files: ReadonlyMap<string, string>,
): Promise<{ readonly compiled: number; readonly problems: readonly string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-docs-'))
  try {
    const places = new Map<string, { path: string; line: number }>()
    for (const [path, markdown] of files) {
      for (const { language, info, code, line } of codeBlocks(markdown).blocks) {
        if (!/^tsx?$/.test(language) || info === 'fragment' || info.startsWith('from ')) continue
        const name = `block-${places.size}.${language}`
        writeFileSync(join(folder, name), code)
        places.set(name, { path, line })
      }
    }
    if (places.size === 0) return { compiled: 0, problems: [] }
    // A real node_modules folder: `countersign` is found through its package.json, as in a user's project.
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    writeFileSync(join(folder, 'package.json'), '{ "type": "module", "private": true }')
    const compilerOptions = {
      target: 'es2022',
      module: 'nodenext',
      moduleDetection: 'force',
      jsx: 'react-jsx',
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: true,
      noEmit: true,
      types: ['node'],
    }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [...places.keys()] }))
    const { code, output } = await run(bin('tsc'), ['-p', folder, '--pretty', 'false'], { cwd: folder })
    const problems: string[] = []
    for (const [, name, line, message] of output.matchAll(/^(\S+?\.tsx?)\((\d+),\d+\): error (.*)$/gm)) {
      const place = places.get(name!)
      if (place) problems.push(`${place.path}:${place.line + Number(line)} ${message}`)
    }
    if (code !== 0 && problems.length === 0) problems.push(`the compiler ended with ${code}: ${output.trim()}`)
    return { compiled: places.size, problems }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
