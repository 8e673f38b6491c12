// What a packed package must be like, judged from its unpacked files.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import ts from 'typescript-6'
import { packageName } from './imports/check.ts'

export interface Manifest {
  readonly name: string
  readonly version: string
  readonly exports?: Readonly<Record<string, string>>
  readonly bin?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

export function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
}

/** @param folder - The unpacked package. */
export function contentProblems(folder: string): string[] {
  const manifest = readManifest(folder)
  const problems: string[] = []
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  const has = (path: string) => existsSync(join(folder, path))

  for (const path of ['LICENSE', 'README.md']) if (!has(path)) problems.push(`${path} is missing`)
  for (const [subpath, target] of Object.entries(manifest.exports ?? {})) {
    if (!has(target)) problems.push(`export ${subpath}: ${target} does not exist`)
    const types = target.replace(/\.js$/, '.d.ts')
    if (!has(types)) problems.push(`export ${subpath}: ${types} does not exist`)
  }
  for (const [name, target] of Object.entries(manifest.bin ?? {})) {
    if (!has(target)) problems.push(`command ${name}: ${target} does not exist`)
    else if (!readFileSync(join(folder, target), 'utf8').startsWith('#!/usr/bin/env node\n')) {
      problems.push(`command ${name}: ${target} does not start with #!/usr/bin/env node`)
    }
  }
  for (const path of files) {
    if (/\.(?:tsbuildinfo|tgz|test\.ts|test\.js)$/.test(path)) problems.push(`${path} does not belong into the package`)
    // tsc leaves the output of a deleted source where it is.
    const origin = path.replace(/^dist\//, 'src/').replace(/\.js$/, '.ts')
    if (has('src') && /^dist\/.*\.js$/.test(path) && !has(origin)) problems.push(`${path} is stale: no ${origin}`)
  }
  const declared = [manifest.name, ...Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })]
  for (const path of files.filter((name) => /\.(?:[cm]?js|ts)$/.test(name))) {
    for (const specifier of importsOf(readFileSync(join(folder, path), 'utf8'))) {
      if (specifier.startsWith('.') || isBuiltin(specifier) || declared.includes(packageName(specifier))) continue
      problems.push(`${path} imports ${specifier}, which package.json does not declare`)
    }
  }
  return problems
}

export function importsOf(source: string): string[] {
  return ts.preProcessFile(source, true, true).importedFiles.map((file) => file.fileName)
}

/** The first ```ts block below a heading that contains `title`. */
export function exampleBelow(markdown: string, title: string): string | undefined {
  const heading = new RegExp(`^#+ .*${title}.*$`, 'im').exec(markdown)
  if (!heading) return undefined
  const section = markdown.slice(heading.index + heading[0].length).split(/^#+ /m)[0]!
  // A heading inside a code block is a comment of some other language; ts blocks hold no line that starts with #.
  return /^```ts\n([\s\S]*?)^```$/m.exec(section)?.[1]
}
