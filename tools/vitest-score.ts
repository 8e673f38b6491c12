// Turns vitest's JSON report into numbers, by our rules: a skip without a reason is a failure, and so is a file that
// did not load or a run in which no test ran.
import type { Score } from './steps.ts'

export interface VitestReport {
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly message?: string
    readonly assertionResults: readonly {
      readonly fullName: string
      readonly status: string
      readonly failureMessages?: readonly string[]
    }[]
  }[]
}

export interface VitestScore extends Score {
  /** What failed, a line each: whoever reads only the end of a log finds it there. */
  readonly problems: readonly string[]
  readonly skips: readonly string[]
}

/** What a skipped test carries in its name. */
export const reason = /\[skipped: [^\]]*\w[^\]]*\]/

export function scoreVitest(report: VitestReport | undefined, exitCode: number): VitestScore {
  let [passed, failed] = [0, 0]
  const problems: string[] = []
  const skips: string[] = []
  for (const file of report?.testResults ?? []) {
    if (file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed')) {
      failed++
      problems.push(`${file.name} failed outside its tests: ${firstLine(file.message)}`)
    }
    for (const test of file.assertionResults) {
      if (test.status === 'passed') passed++
      else if (test.status === 'failed') {
        failed++
        problems.push(`${file.name}: "${test.fullName}" failed: ${firstLine(test.failureMessages?.[0])}`)
      } else if (reason.test(test.fullName)) skips.push(test.fullName)
      else {
        failed++
        problems.push(`${file.name}: "${test.fullName}" is ${test.status} without [skipped: reason] in its name`)
      }
    }
  }
  if (passed + failed === 0) {
    failed++
    problems.push('no test ran')
  } else if (exitCode !== 0 && failed === 0) {
    failed++
    problems.push(`vitest ended with ${exitCode}: an error outside all tests, see above`)
  }
  return { passed, failed, skipped: skips.length, problems, skips }
}

const firstLine = (text: string | undefined) => text?.split('\n')[0] || 'no message'
