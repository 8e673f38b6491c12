// Applies rules.ts to the sources of all packages. A pure function of {path → source}: the tests feed it small ones.
import { posix } from 'node:path'
import { findCycles } from './cycles.ts'
import { forbidden, maxLines, parts } from './rules.ts'
import { type Import, scan } from './scan.ts'

export interface Violation {
  readonly path: string
  readonly line: number
  readonly rule: 'layer' | 'index' | 'cycle' | 'package' | 'unresolved' | 'part' | 'forbidden' | 'length'
  readonly message: string
}

export interface Packages {
  /** What each package besides the library declares in its package.json, by folder name below `packages/`. */
  readonly dependencies: Readonly<Record<string, readonly string[]>>
  /** Names that resolve into the library: `countersign`, `countersign/http`, … */
  readonly librarySubpaths: readonly string[]
}

/** Paths are relative to the repository: `packages/<package>/src/…`. */
export function checkImports(sources: ReadonlyMap<string, string>, packages: Packages): Violation[] {
  const found: Violation[] = []
  const edges = new Map<string, { to: string; line: number }[]>()

  for (const [path, source] of sources) {
    const report = (line: number, rule: Violation['rule'], message: string) => found.push({ path, line, rule, message })
    const [, folder = '', , ...rest] = path.split('/')
    const inSrc = rest.join('/')
    const { imports, uses } = scan(path, source)
    const lines = source.split('\n').length - (source.endsWith('\n') ? 1 : 0)
    if (lines > maxLines && !path.endsWith('.generated.ts')) {
      report(maxLines + 1, 'length', `${lines} lines; split files above ${maxLines}`)
    }
    if (folder === 'countersign' && partOf(inSrc) === undefined) {
      report(1, 'part', 'belongs to no part of tools/imports/rules.ts; add it there')
    }

    for (const use of uses) {
      const rule = rulesFor(folder, inSrc).find((f) => use.names.some((name) => f.uses.includes(name)))
      if (rule) report(use.line, 'forbidden', `${use.names.find((n) => rule.uses.includes(n))}: ${rule.why}`)
    }
    for (const found of imports) {
      const rule = rulesFor(folder, inSrc).find((f) => f.modules.includes(found.from))
      if (rule) report(found.line, 'forbidden', `import of ${found.from}: ${rule.why}`)
      if (!found.from.startsWith('.')) {
        const problem = packageProblem(folder, inSrc, found.from, packages)
        if (problem) report(found.line, 'package', problem)
        continue
      }
      const target = posix.join(posix.dirname(path), found.from)
      if (!sources.has(target)) {
        report(found.line, 'unresolved', `${found.from} is no source file of this package`)
        continue
      }
      if (!target.startsWith(`packages/${folder}/src/`)) {
        report(found.line, 'package', `${found.from} reaches into another package; import it by name`)
        continue
      }
      if (posix.basename(target) === 'index.ts') {
        report(found.line, 'index', `imports ${found.from}; index.ts is for users, import the file itself`)
      }
      if (folder === 'countersign') {
        const problem = layerProblem(inSrc, target.slice('packages/countersign/src/'.length), found)
        if (problem) report(found.line, 'layer', problem)
      }
      // Type-only imports are erased, so a cycle of them cannot bite at run time; the layer rule still covers them.
      if (!found.typeOnly) edges.set(path, [...(edges.get(path) ?? []), { to: target, line: found.line }])
    }
  }

  for (const { cycle, line } of findCycles(edges)) {
    found.push({ path: cycle[0]!, line, rule: 'cycle', message: [...cycle, cycle[0]].join(' → ') })
  }
  return found
}

const rulesFor = (folder: string, inSrc: string) =>
  forbidden.filter((f) => f.packages.includes(folder) && !f.except.includes(inSrc))

function partOf(inSrc: string): string | undefined {
  const fits = Object.keys(parts).filter((name) => inSrc === name || inSrc.startsWith(`${name}/`))
  return fits.sort((a, b) => b.length - a.length)[0]
}

function layerProblem(from: string, to: string, imported: Import): string | undefined {
  const [fromPart, toPart] = [partOf(from), partOf(to)]
  if (fromPart === undefined || toPart === undefined || fromPart === toPart) return undefined
  const rule = parts[fromPart]!
  if (!rule.may.includes(toPart)) return `${fromPart} must not import ${toPart} (${to})`
  if (rule.typesOnly && !imported.typeOnly) return `${fromPart} may import only types from ${toPart}; use import type`
  return undefined
}

function packageProblem(folder: string, inSrc: string, from: string, packages: Packages): string | undefined {
  if (from === '(computed)') return 'the name of an imported module must be a plain string'
  if (from.startsWith('node:')) return undefined
  if (folder === 'countersign') {
    const peers = parts[partOf(inSrc) ?? '']?.peers ?? []
    if (peers.includes(packageName(from))) return undefined
    return `${from}: here the library may import only node: built-ins${peers.length ? ` and ${peers.join(', ')}` : ''}`
  }
  if (packageName(from) === 'countersign' && !packages.librarySubpaths.includes(from)) {
    return `${from} is not exported by the library`
  }
  if (packages.dependencies[folder]?.includes(packageName(from))) return undefined
  return `${from} is not a dependency in packages/${folder}/package.json`
}

export function packageName(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}
