// Compiles packages/countersign/test/types against the built package, as users with other compilers and settings do:
// a declaration file that only our own TypeScript can read, or a misuse that compiles after all, fails here.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from './files.ts'
import { run } from './steps.ts'
import { expectedErrors, parseErrors } from './type-errors.ts'

const compilers = { 'TypeScript 5.9': 'typescript-5.9', 'TypeScript 6': 'typescript-6', 'TypeScript 7': 'typescript' }
const resolutions = { nodenext: 'nodenext', bundler: 'esnext' }

/** Files that use an export which is still to come. Remove the line with the export; the check below insists. */
const notYet: Record<string, string> = {}

const source = join(root, 'packages/countersign/test/types')
const problems: string[] = []
const folder = mkdtempSync(join(tmpdir(), 'countersign-types-'))
try {
  const built = join(root, 'packages/countersign/dist/index.js')
  if (!existsSync(built)) throw new Error('packages/countersign is not built; run npm run build')
  const exported = Object.keys(await import(built))
  const files = readdirSync(source).filter((name) => name.endsWith('.ts') && isWanted(name, exported))
  if (files.length === 0) throw new Error(`no type tests in ${source}`)
  await compileAll(files)
} catch (error) {
  problems.push((error as Error).message)
} finally {
  rmSync(folder, { recursive: true })
}
for (const problem of problems) console.error(problem)
process.exitCode = problems.length === 0 ? 0 : 1

function isWanted(name: string, exported: readonly string[]): boolean {
  const missing = notYet[name]
  if (missing === undefined) return true
  if (exported.includes(missing))
    problems.push(`${missing} exists now: remove ${name} from notYet in tools/test-types.ts`)
  else console.log(`${name}: not compiled, ${missing} is not part of this release`)
  return false
}

async function compileAll(files: readonly string[]): Promise<void> {
  // A real node_modules folder: `countersign` is found through its package.json, as in a user's project.
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module", "private": true }')
  // The directives are all taken out. What must hold then is stronger than that the files compile as they are: an error
  // on each line after a directive, so each is needed, and on no other line, so all correct use compiles.
  const expected = new Set<string>()
  for (const name of files) {
    const { withoutDirectives, lines } = expectedErrors(readFileSync(join(source, name), 'utf8'))
    writeFileSync(join(folder, name), withoutDirectives)
    for (const line of lines) expected.add(`${name}:${line}`)
  }
  if (expected.size === 0) problems.push(`no @ts-expect-error in ${source}`)

  for (const [label, compiler] of Object.entries(compilers)) {
    await Promise.all(
      Object.entries(resolutions).map(async ([moduleResolution, module]) => {
        const where = `${label}, ${moduleResolution}`
        const errors = await compile(compiler, module, moduleResolution, files)
        const seen = new Set(errors.map((error) => error.place))
        for (const place of expected) if (!seen.has(place)) problems.push(`${where}: ${place} compiles, but must not`)
        for (const error of errors) if (!expected.has(error.place)) problems.push(`${where}: ${error.text}`)
      }),
    )
  }
  const times = Object.keys(compilers).length * Object.keys(resolutions).length
  console.log(`${files.join(', ')} compiled ${times} times, ${expected.size} misuses refused each time`)
}

async function compile(compiler: string, module: string, moduleResolution: string, files: readonly string[]) {
  const compilerOptions = {
    target: 'es2022',
    module,
    moduleResolution,
    strict: true,
    exactOptionalPropertyTypes: true,
    // Checks our declaration files too, not only their use.
    skipLibCheck: false,
    noEmit: true,
    types: ['node'],
  }
  const project = join(folder, `tsconfig.${moduleResolution}.json`)
  writeFileSync(project, JSON.stringify({ compilerOptions, files }))
  const program = join(root, 'node_modules', compiler, 'bin', 'tsc')
  const { code, output } = await run(process.execPath, [program, '-p', project, '--pretty', 'false'], { cwd: folder })
  const errors = parseErrors(output)
  if (code !== 0 && errors.length === 0) throw new Error(`${compiler} ended with ${code}: ${output}`)
  return errors
}
