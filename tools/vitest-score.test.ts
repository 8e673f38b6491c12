import { describe, expect, it } from 'vitest'
import { scoreVitest } from './vitest-score.ts'

const report = (tests: Record<string, string>, status = 'passed') => ({
  testResults: [
    {
      name: 'a.test.ts',
      status,
      assertionResults: Object.entries(tests).map(([fullName, s]) => ({ fullName, status: s })),
    },
  ],
})

describe('the score of a vitest run', () => {
  it('counts what passed, failed and was skipped for a reason', () => {
    const tests = { a: 'passed', b: 'failed', 'c [skipped: needs Linux]': 'skipped' }
    const problems = ['a.test.ts: "b" failed: no message']
    expect(scoreVitest(report(tests, 'failed'), 1)).toMatchObject({ passed: 1, failed: 1, skipped: 1, problems })
  })

  it('names what failed, and says why in a line', () => {
    const failure = { fullName: 'a > b', status: 'failed', failureMessages: ['Error: too late\n    at x.ts:1'] }
    const file = { name: 'a.test.ts', status: 'failed', assertionResults: [failure] }
    expect(scoreVitest({ testResults: [file] }, 1).problems).toEqual(['a.test.ts: "a > b" failed: Error: too late'])
  })

  it.each(['skipped', 'pending', 'todo'])('counts a test that is %s without a reason as failed', (status) => {
    expect(scoreVitest(report({ a: 'passed', 'b [skipped: ]': status }), 0)).toMatchObject({ passed: 1, failed: 1 })
  })

  it('counts a file that did not load', () => {
    expect(scoreVitest(report({}, 'failed'), 1)).toMatchObject({ passed: 0, failed: 1 })
  })

  it('counts a run without tests, or without a report', () => {
    expect(scoreVitest({ testResults: [] }, 0).failed).toBe(1)
    expect(scoreVitest(undefined, 1).failed).toBe(1)
  })

  it('counts an unhandled error after tests that all passed', () => {
    expect(scoreVitest(report({ a: 'passed' }), 1)).toMatchObject({ passed: 1, failed: 1 })
  })
})
