// The files that a run leaves: the results, the page, and, after a whole run, the document.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../../tools/files.ts'
import type { Measured } from '../harness/result.ts'
import type { Conditions } from './conditions.ts'
import { document } from './document.ts'
import { page } from './page.ts'

/** All that the page and the document are made from. */
export interface Results {
  readonly about: Conditions
  readonly measured: readonly Measured[]
}

/** Path below the repository → content. */
export function reportFiles(results: Results, isWhole: boolean): Readonly<Record<string, string>> {
  const folder = isWhole ? 'bench' : 'artifacts/bench'
  return {
    [`${folder}/results.json`]: `${JSON.stringify(results, null, 1)}\n`,
    [`${folder}/report.html`]: page(results),
    ...(isWhole && { 'docs/performance.md': document(results) }),
  }
}

/** Writes them, and says where. */
export function writeReport(results: Results, isWhole: boolean): string {
  const files = reportFiles(results, isWhole)
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(root, path, '..'), { recursive: true })
    writeFileSync(join(root, path), content)
  }
  return `written: ${Object.keys(files).join(', ')}`
}
