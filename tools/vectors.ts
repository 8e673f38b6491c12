// `npm run vectors -- FILE…`: test vectors against the shipped verifier. The formats are those of jwt-negative, of
// Wycheproof, of the JOSE cookbook and of packages/countersign/test/vectors/rfc. Without a file: all that are there.
// Folders stand for every JSON file below them. The last line is `N passed, N failed`.
import { readdirSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { root } from './files.ts'
import { runFile } from './vectors/run.ts'

const args = process.argv.slice(2)
const files = (args.length > 0 ? args : [join(root, 'packages/countersign/test/vectors')]).flatMap(filesOf)
let passed = 0
let failed = 0
for (const path of files) {
  const result = await runFile(path)
  passed += result.passed
  failed += result.failures.length
  const deviations = result.deviations.length > 0 ? `, of them ${result.deviations.length} pinned deviations` : ''
  console.log(
    `${relative(process.cwd(), path)} (${result.kind}): ${result.passed} passed${deviations}, ${result.failures.length} failed`,
  )
  for (const { file, id, verdict, reason } of result.deviations)
    console.log(`  deviation ${file} ${id}: ${verdict}, ${reason}`)
  for (const failure of result.failures) console.log(`  FAILED ${failure}`)
}
if (files.length === 0) {
  console.log('no files')
  failed++
}
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1

function filesOf(path: string): string[] {
  try {
    if (!statSync(path).isDirectory()) return [path]
  } catch {
    return [path] // runFile says what is wrong with it
  }
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.json') && !/(?:^|[\\/])schemas[\\/]/.test(name))
    .map((name) => join(path, name))
    .sort()
}
