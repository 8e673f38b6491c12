import { describe, expect, test } from 'vitest'
import { codesOf, tableBelow } from '../../../../tools/docs/markdown.ts'
import { FAULT_ANSWERS, REFUSAL_ANSWERS } from '../../src/http/answers.ts'
import { refuseRequest } from '../../src/http/refusals.ts'
import { refuse } from '../../src/session/reasons.ts'
import { literalsOf, readRepositoryFile } from './source-types.ts'

const page = readRepositoryFile('docs/errors.md')
const rows = (heading: string) => tableBelow(page, heading).map((cells) => ({ name: codesOf(cells[0]!)[0]!, cells }))
const only = (cell: string | undefined) => codesOf(cell ?? '')[0]

describe('docs/errors.md', () => {
  test.each([
    ['Refusal reasons', 'packages/countersign/src/session/reasons.ts', 'RefusalReason'],
    ['Refusals of a request', 'packages/countersign/src/http/refusals.ts', 'RequestReason'],
    ['Refusals of accounts', 'packages/countersign/src/accounts/types.ts', 'AccountRefusalReason'],
    ['Refusals of one-time tokens', 'packages/countersign/src/one-time/types.ts', 'OneTimeRefusalReason'],
    ['Refusals of clients', 'packages/countersign/src/oauth/authenticate.ts', 'ClientRefusalReason'],
    ['Error codes', 'packages/countersign/src/internal/errors.ts', 'ErrorCode'],
    ['Remedies', 'packages/countersign/src/session/reasons.ts', 'Remedy'],
  ])('%s: has exactly what the type has', (heading, path, type) => {
    const literals = literalsOf(path, type)
    expect(literals.length).toBeGreaterThan(3)
    expect(rows(heading).map((row) => row.name)).toEqual(literals)
  })

  test('names the end reasons that Countersign writes', () => {
    const sentence = /Countersign itself writes ([^;]*);/.exec(page)![1]!
    const literals = literalsOf('packages/countersign/src/session/reasons.ts', 'EndReason')
    expect([...codesOf(sentence)].sort()).toEqual([...literals].sort())
  })

  test.each(['Refusal reasons', 'Refusals of a request'])(
    '%s: remedy, status and code are the real ones',
    (heading) => {
      for (const { name, cells } of rows(heading)) {
        const answer = REFUSAL_ANSWERS[name as keyof typeof REFUSAL_ANSWERS]
        const refused = heading === 'Refusal reasons' ? refuse(name as never) : refuseRequest(name as never)
        const [, , remedy, status, code] = cells
        expect({ name, remedy: only(remedy), status, code: only(code) }).toEqual({
          name,
          remedy: refused.remedy,
          status: String(answer.status),
          code: answer.code,
        })
      }
    },
  )

  test('says which reasons the body of an answer hides', () => {
    const hidden = Object.entries(REFUSAL_ANSWERS).flatMap(([name, answer]) => (answer.hideReason ? [name] : []))
    const sentence = /the body hides ([^:]*):/.exec(page)![1]!
    expect([...codesOf(sentence)].sort()).toEqual(hidden.sort())
  })

  test('Error codes: status and code are the real ones, and 503 says when to come back', () => {
    for (const { name, cells } of rows('Error codes')) {
      const answer = FAULT_ANSWERS[name as keyof typeof FAULT_ANSWERS]
      const [, , , retryable, status, code] = cells
      expect({ name, status, code: only(code) }).toEqual({ name, status: String(answer.status), code: answer.code })
      expect(['yes', 'no', 'sometimes']).toContain(retryable)
      expect(answer.retryAfterSeconds !== undefined).toBe(answer.status === 503)
    }
  })
})
