// Packs both packages and looks at them as a user gets them: complete, honest about dependencies, loadable by import and
// by require, and with a README whose example runs. A package that works only inside this repository fails here.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from './files.ts'
import { contentProblems, exampleBelow, importsOf, readManifest } from './package-contents.ts'
import { bin, run } from './steps.ts'

/** Subpaths that load an optional peer at once. All others must load in a project that has none. */
const needsPeer: Readonly<Record<string, string>> = {
  './accounts': '@node-rs/argon2',
  './browser/react': 'react',
  './stores/sqlite': '@photostructure/sqlite',
  './stores/postgres': 'pg',
  './stores/redis': 'redis',
}

const folder = mkdtempSync(join(tmpdir(), 'countersign-package-'))
const project = join(folder, 'project')
const problems: string[] = []
try {
  await must('npm', ['run', '-s', 'build'], root)
  const library = await pack('countersign')
  await pack('server')
  await check('publint', bin('publint'), ['run', '--strict', library.tarball], root)
  await useLibrary(library.tarball, library.unpacked)
} catch (error) {
  problems.push((error as Error).message)
} finally {
  rmSync(folder, { recursive: true })
}
for (const problem of problems) console.error(problem)
if (problems.length === 0) console.log('packed, installed into an empty project, required, and the README example run')
process.exitCode = problems.length === 0 ? 0 : 1

async function pack(name: string): Promise<{ tarball: string; unpacked: string }> {
  const output = await must('npm', ['pack', '--json', '--pack-destination', folder], join(root, 'packages', name))
  const file = /"filename": "([^"]+)"/.exec(output)?.[1]
  if (file === undefined) throw new Error(`npm pack of ${name} named no file: ${output}`)
  const unpacked = join(folder, name)
  mkdirSync(unpacked)
  await must('tar', ['-xzf', join(folder, file), '-C', unpacked, '--strip-components=1'], folder)
  problems.push(...contentProblems(unpacked).map((problem) => `${name}: ${problem}`))
  return { tarball: join(folder, file), unpacked }
}

async function useLibrary(tarball: string, unpacked: string): Promise<void> {
  const manifest = readManifest(unpacked)
  const subpaths = Object.keys(manifest.exports ?? {}).filter((subpath) => subpath !== './package.json')
  mkdirSync(project)
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }')

  // 1. The library alone: one package, and everything that does not name a peer loads.
  await must('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', tarball], project)
  const lock = JSON.parse(readFileSync(join(project, 'package-lock.json'), 'utf8')) as { packages: object }
  const installed = Object.keys(lock.packages).filter((path) => path !== '')
  if (installed.length !== 1) problems.push(`the library brings other packages: ${installed.join(', ')}`)
  for (const subpath of subpaths) if (needsPeer[subpath] === undefined) await load(manifest.name, subpath)

  // 2. With the peers, in the versions that this repository is tested with.
  const peers = Object.keys(manifest.peerDependencies ?? {}).map((peer) => {
    return `${peer}@${readManifest(join(root, 'node_modules', peer)).version}`
  })
  await must('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', ...peers], project)
  for (const subpath of subpaths) await load(manifest.name, subpath)

  // 3. The README's example, with nothing of the repository but the compiler that strips its types.
  await runExample(manifest.name)
}

async function load(name: string, subpath: string): Promise<void> {
  const specifier = name + subpath.slice(1)
  await check(`require('${specifier}')`, process.execPath, ['-e', `require('${specifier}')`], project)
  const code = `await import('${specifier}')`
  await check(`import('${specifier}')`, process.execPath, ['--input-type=module', '-e', code], project)
}

async function runExample(name: string): Promise<void> {
  const readme = join(root, 'README.md')
  const example = existsSync(readme) ? exampleBelow(readFileSync(readme, 'utf8'), 'In your code') : undefined
  if (example === undefined) return void problems.push('README.md has no ```ts block below a heading "In your code"')
  if (!importsOf(example).includes(name)) problems.push(`the README example does not import ${name}`)
  writeFileSync(join(project, 'example.ts'), example)
  const tsx = join(root, 'node_modules/tsx/dist/loader.mjs')
  await check('the README example', process.execPath, ['--import', tsx, 'example.ts'], project)
}

async function check(what: string, program: string, args: readonly string[], cwd: string): Promise<void> {
  // An example or a subpath that keeps the process alive is a finding, not a reason to wait for ever.
  const { code, output } = await run(program, args, { cwd, timeoutMs: 60_000 })
  if (code !== 0) problems.push(`${what} failed with ${code}:\n${withoutStack(output)}`)
}

async function must(program: string, args: readonly string[], cwd: string): Promise<string> {
  const { code, output } = await run(program, args, { cwd })
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} failed with ${code}:\n${output.trim()}`)
  return output
}

/** The way through Node's module loader helps nobody; there are two loads per subpath to read. */
function withoutStack(output: string): string {
  return output.trim().replace(/\n\s+at .*(?:node:internal|\[eval).*/g, '')
}
