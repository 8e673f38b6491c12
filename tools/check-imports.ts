// Prevents an architecture that exists only on paper: import direction, cycles, undeclared packages, direct use of the
// clock or of random numbers, and files that grew too long. The rules are in imports/rules.ts.
import { existsSync, readFileSync } from 'node:fs'
import { filesBelow, packageFolders, root } from './files.ts'
import { checkImports } from './imports/check.ts'

interface Manifest {
  readonly name: string
  readonly exports?: Readonly<Record<string, unknown>>
  readonly dependencies?: Readonly<Record<string, string>>
}

const sources = new Map<string, string>()
const dependencies: Record<string, string[]> = {}
let librarySubpaths: string[] = []

for (const folder of packageFolders()) {
  for (const path of filesBelow(`packages/${folder}/src`)) {
    if (path.endsWith('.ts')) sources.set(path, readFileSync(`${root}/${path}`, 'utf8'))
  }
  const manifestPath = `${root}/packages/${folder}/package.json`
  if (!existsSync(manifestPath)) continue
  const manifest = JSON.parse(readFileSync(manifestPath, 'utf8')) as Manifest
  dependencies[folder] = Object.keys(manifest.dependencies ?? {})
  if (manifest.name === 'countersign') {
    librarySubpaths = Object.keys(manifest.exports ?? {}).map((subpath) => `countersign${subpath.slice(1)}`)
  }
}

const violations = checkImports(sources, { dependencies, librarySubpaths })
for (const { path, line, rule, message } of violations) console.log(`${path}:${line} [${rule}] ${message}`)
console.log(`${sources.size} files, ${violations.length} violations`)
process.exitCode = violations.length === 0 && sources.size > 0 ? 0 : 1
