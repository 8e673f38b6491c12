// `npm test`: everything that has to hold before a commit. The last line is always `N passed, N failed`.
//   npm test                      all steps; of the test files all but those of tools/long-files.ts
//   npm test -- redis refresh     only the vitest files whose path holds one of the words
//   npm run test:long             every test file, with larger counts (tools/test-support/counts.ts); the faults have a run of their own
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from './files.ts'
import { LONG_FILES } from './long-files.ts'
import { bin, run, type Score, step } from './steps.ts'
import { scoreVitest, type VitestReport } from './vitest-score.ts'

const args = process.argv.slice(2)
const filters = args.filter((arg) => arg !== '--long')
const isLong = args.includes('--long')
const env = {
  ...process.env,
  ...(isLong && { COUNTERSIGN_LONG: '1' }),
  ...(filters.length > 0 && { COUNTERSIGN_ALL_FILES: '1' }),
}
const score: Score = { passed: 0, failed: 0, skipped: 0 }
const folder = mkdtempSync(join(tmpdir(), 'countersign-test-'))
const report = join(folder, 'report.json')
const tool = (name: string, ...more: string[]) => [bin('tsx'), [`tools/${name}.ts`, ...more]] as const

await step(score, 'servers', ...tool('servers'))
if (filters.length > 0) await vitest()
else {
  await step(score, 'lint', bin('biome'), ['ci', '--colors=off', '.'])
  await step(score, 'types of tools and tests', bin('tsc'), ['-p', 'tsconfig.tools.json'])
  for (const name of readdirSync('examples').filter((name) => existsSync(`examples/${name}/page/tsconfig.json`)))
    await step(score, `types of the page of the ${name}`, bin('tsc'), ['-p', `examples/${name}/page`])
  await step(score, 'import rules', ...tool('check-imports'))
  await step(score, 'generated scripts', ...tool('generate-scripts', '--check'))
  await vitest()
  // The faults wait more than they work, the others only work.
  const packages = async () => {
    await step(score, 'type tests', ...tool('test-types'))
    await step(score, 'package tests', ...tool('test-package'))
  }
  // Long, the faults have a run of their own: `npm run faults`, which draws another seed each time.
  const faults = step(score, 'faults', ...tool('faults/main', '--short', '--seed', '1', '--report', report))
  await Promise.all([packages(), faults])
}

rmSync(folder, { recursive: true })
const skipped = score.skipped > 0 ? `, ${score.skipped} skipped` : ''
console.log(`${score.passed} passed, ${score.failed} failed${skipped}`)
process.exitCode = score.failed === 0 && score.passed > 0 ? 0 : 1

async function vitest(): Promise<void> {
  const startedMs = performance.now()
  const flags = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const { code } = await run(bin('vitest'), [...flags, ...filters], { show: true, env })
  const read = existsSync(report) ? (JSON.parse(readFileSync(report, 'utf8')) as VitestReport) : undefined

  const { passed, failed, skipped, problems, skips } = scoreVitest(read, code)
  score.passed += passed
  score.failed += failed
  score.skipped += skipped
  for (const skip of skips) console.log(`skipped ${skip}`)
  if (!isLong && filters.length === 0) {
    for (const [file, stays] of Object.entries(LONG_FILES))
      console.log(`skipped ${file}: in npm run test:long; here: ${stays}`)
    score.skipped += Object.keys(LONG_FILES).length
  }
  for (const problem of problems) console.log(`        ${problem.replaceAll(`${root}/`, '')}`)
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
  console.log(`${failed === 0 ? 'ok     ' : 'FAILED '} vitest (${seconds} s): ${passed} passed, ${failed} failed`)
}
