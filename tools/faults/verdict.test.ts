import { expect, test } from 'vitest'
import { check } from './check.ts'
import { History } from './history.ts'
import { brokenBy, verdictOf } from './verdict.ts'

const SID = 'AAAAAAAAAAAAbbbbbbbbbbbbbbbbbbbbbb'

/** A session that is revoked and served later, among much else. */
async function broken(checks: number) {
  let nowMs = 0
  const history = new History(() => nowMs++)
  const about = { subject: 'anna', sid: SID, node: 0 }
  const record = (verb: 'verify' | 'revoke', sid = SID) =>
    history.record({ ...about, verb, sid }, () => ({ is: 'ok', durability: 'local' }))
  await history.record({ verb: 'issue', subject: 'anna', node: 0 }, () => ({ is: 'ok', sid: SID }))
  for (let n = 0; n < checks; n++) await record('verify')
  await record('revoke')
  for (let n = 0; n < checks; n++) {
    history.note('trouble')
    await record('verify', `${SID.slice(0, -6)}others`)
  }
  await record('verify')
  for (let n = 0; n < checks; n++) await record('verify', `${SID.slice(0, -6)}others`)
  return { history, violations: check(history.calls, { staleMs: 0 }) }
}

test('a verdict is one line: the invariant, the session, and the calls', async () => {
  const { violations } = await broken(1)
  const verdict = verdictOf(violations[0]!)
  expect(verdict).not.toContain('\n')
  expect(verdict).toMatch(
    /^I1 \(an acknowledged revocation is permanent\): …bbbbbb verify on node 0 was accepted \d+ ms after revoke was acknowledged \[\d.*revoke …bbbbbb: ok local\] \[.*verify …bbbbbb: ok local\]$/,
  )
})

test.each([1, 20, 500])(
  'the history is of that session, at most 60 lines, with the calls marked (%i)',
  async (checks) => {
    const { history, violations } = await broken(checks)
    const lines = brokenBy(history, violations).history
    expect(lines.length).toBeLessThanOrEqual(60)
    expect(lines.filter((line) => line.startsWith('>')).map((line) => line.includes('revoke'))).toEqual([true, false])
    expect(lines.some((line) => line.includes('others'))).toBe(false)
    expect(lines.some((line) => line.includes('trouble'))).toBe(true)
    const left = Number(/… (\d+) lines/.exec(lines.join('\n'))?.[1] ?? 0)
    // All of the session up to the last of the calls, and the notes.
    expect(left + lines.filter((line) => !line.includes(' lines')).length).toBe(checks * 2 + 3)
  },
)
