// Runs the tests that the matrix points at, all in one run of Vitest, or takes their results from a run that has just been.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../files.ts'
import { bin, run } from '../steps.ts'
import { reason, type VitestReport } from '../vitest-score.ts'
import type { Tests } from './scenario.ts'

export interface Verdict {
  readonly is: 'passed' | 'failed' | 'skipped'
  /** One line. */
  readonly said: string
  /** What shows why. */
  readonly details?: readonly string[]
}

/** Vitest's titles are templates: `%s`, `%i` and `$name` become something. */
export function patternOf(name: string): RegExp {
  const parts = name.split(/%[sdifj]|\$[a-z]+/i).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(parts.join('.*'))
}

export async function runTests(wanted: readonly Tests[], isShort: boolean): Promise<VitestReport | undefined> {
  if (wanted.length === 0) return { testResults: [] }
  const folder = mkdtempSync(join(tmpdir(), 'countersign-faults-'))
  const file = join(folder, 'report.json')
  const names = [...new Set(wanted.map(({ name }) => patternOf(name).source))].join('|')
  const files = [...new Set(wanted.map((one) => one.file))]
  const env = isShort ? process.env : { ...process.env, COUNTERSIGN_LONG: '1' }
  const flags = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`, '-t', names]
  const { output } = await run(bin('vitest'), [...flags, ...files], { env })
  const report = readReport(file)
  rmSync(folder, { recursive: true })
  if (!report) console.log(output.replace(/^/gm, '        '))
  return report
}

export function readReport(file: string): VitestReport | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as VitestReport) : undefined
}

/** Every test of that name has to have run and passed. None is a failure: a proof that is not there proves nothing. */
export function verdictOn({ file, name }: Tests, report: VitestReport | undefined): Verdict {
  const pattern = patternOf(name)
  const ran = report?.testResults.find((result) => result.name === join(root, file))
  const found = ran?.assertionResults.filter(({ fullName }) => pattern.test(fullName)) ?? []
  const failed = found.filter(({ status }) => status === 'failed')
  const passed = found.filter(({ status }) => status === 'passed')
  const reasoned = found.filter(
    ({ status, fullName }) => status !== 'passed' && status !== 'failed' && reason.test(fullName),
  )
  if (failed.length > 0) {
    const why = failed.flatMap(({ failureMessages = [] }) => failureMessages.map((text) => text.split('\n')[0]!))
    return { is: 'failed', said: `${failed.length} of ${found.length} failed: ${why.slice(0, 3).join(' | ')}` }
  }
  if (ran?.status === 'failed' && passed.length === 0)
    return { is: 'failed', said: ran.message?.split('\n')[0] ?? 'did not load' }
  if (passed.length > 0) return { is: 'passed', said: `${passed.length} ${passed.length === 1 ? 'test' : 'tests'}` }
  if (reasoned.length > 0) return { is: 'skipped', said: reasoned[0]!.fullName }
  return { is: 'failed', said: `no test of this name ran in ${file}` }
}
