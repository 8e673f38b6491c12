import { describe, expect, test } from 'vitest'
import { check, INVARIANTS, type Rules } from './check.ts'
import type { Answer, Call, Question } from './history.ts'

const RULES: Rules = { staleMs: 1_000 }
const SID = 'AAAAAAAAAAAAbbbbbbbbbbbbbbbbbbbbbb'
type Line = readonly [verb: Question['verb'], fromMs: number, toMs: number, answer: Answer, more?: Partial<Question>]

function history(...lines: readonly Line[]): Call[] {
  return lines.map(([verb, invokedMs, endedMs, answer, more = {}], n) => {
    const sid = verb === 'issue' || verb === 'revokeAll' ? {} : { sid: SID }
    return { n, verb, node: 0, subject: 'anna', ...sid, ...more, invokedMs, endedMs, answer }
  })
}
const ok = (more: Partial<Extract<Answer, { is: 'ok' }>> = {}): Answer => ({ is: 'ok', ...more })
const fail = (reason: unknown): Answer => ({ is: 'fail', reason })
const unknown: Answer = { is: 'info', code: 'ERR_STORE_TIMEOUT', isOpen: true }
const notDone: Answer = { is: 'info', code: 'ERR_STORE_UNAVAILABLE', isOpen: false }
const token = (generation: number, hash: string) => ({ token: { generation, hash } })

const LOGIN: Line = ['issue', 0, 10, ok({ sid: SID, subject: 'anna', version: 1, ...token(0, 'a') })]
const REVOKED: Line = ['revoke', 500, 510, ok({ durability: 'local' })]
const OUTAGE = { staleMs: 1_000, outages: [{ fromMs: 1_000, untilMs: 9_000 }] }
const LOSS = { staleMs: 1_000, losses: [{ fromMs: 1_000, untilMs: 1_000, healedMs: 3_000 }] }
/** The one that was replaced goes on acknowledging for a second. */
const LONG_LOSS = { staleMs: 1_000, losses: [{ fromMs: 1_000, untilMs: 2_000, healedMs: 4_000 }] }

/** A good history, the one thing that makes it bad, and what that is. */
const BAD: readonly [keyof typeof INVARIANTS, string, readonly Line[], Line, Rules?][] = [
  ['I1', 'verified later than the bound', [LOGIN, REVOKED], ['verify', 1_511, 1_512, ok(), { node: 1 }]],
  ['I1', 'verified by the process that ended it', [LOGIN, REVOKED], ['verify', 511, 512, ok()]],
  ['I1', 'updated after the acknowledgement, which has no bound', [LOGIN, REVOKED], ['update', 511, 512, ok()]],
  [
    'I1',
    'refreshed after everything of the subject was ended',
    [LOGIN, ['revokeAll', 500, 510, ok()]],
    ['refresh', 520, 530, ok()],
  ],
  [
    'I1',
    'accepted where the revocation is queued',
    [LOGIN, ['revoke', 500, 510, ok({ durability: 'queued' })]],
    ['look', 520, 530, ok()],
  ],
  [
    'I1',
    'acknowledged by nobody who had been replaced',
    [LOGIN, ['revoke', 2_001, 2_010, ok({ durability: 'local' })]],
    ['look', 3_000, 3_002, ok()],
    LONG_LOSS,
  ],
  ['I1', 'alive after what was lost had to be done again', [LOGIN, REVOKED], ['look', 3_001, 3_002, ok()], LOSS],
  [
    'I2',
    'another successor of the same token',
    [LOGIN, ['refresh', 20, 30, ok(token(1, 'b'))]],
    ['refresh', 25, 35, ok(token(1, 'c'))],
  ],
  [
    'I3',
    'acknowledged and gone',
    [LOGIN, ['update', 20, 30, ok(), { operation: 'x' }]],
    ['look', 40, 50, ok({ operations: [] })],
  ],
  [
    'I3',
    'there twice',
    [LOGIN, ['update', 20, 30, unknown, { operation: 'x' }]],
    ['look', 40, 50, ok({ operations: ['x', 'x'] })],
  ],
  [
    'I3',
    'refused and there',
    [LOGIN, ['update', 20, 30, notDone, { operation: 'x' }]],
    ['look', 40, 50, ok({ operations: ['x'] })],
  ],
  ['I3', 'never asked for', [LOGIN], ['look', 40, 50, ok({ operations: ['x'] })]],
  [
    'I4',
    'older than the bound',
    [LOGIN, ['update', 20, 30, ok({ version: 2 }), { operation: 'x' }]],
    ['verify', 1_031, 1_032, ok({ version: 1 }), { node: 1 }],
  ],
  [
    'I4',
    'older than what the same process wrote',
    [LOGIN, ['update', 20, 30, ok({ version: 2 }), { operation: 'x' }]],
    ['verify', 31, 32, ok({ version: 1 })],
  ],
  [
    'I4',
    'older, without copies',
    [LOGIN, ['update', 20, 30, ok({ version: 2 }), { operation: 'x' }]],
    ['look', 31, 32, ok({ version: 1 })],
  ],
  [
    'I4',
    'past its deadline',
    [LOGIN],
    ['verify', 6_011, 6_012, ok()],
    { staleMs: 0, lifetime: { ms: 5_000, errorMs: 1_000 } },
  ],
  ['I5', 'of somebody else', [LOGIN], ['verify', 20, 30, ok({ subject: 'berta' })]],
  ['I5', 'issued twice', [LOGIN], ['issue', 20, 30, ok({ sid: SID, subject: 'anna' })]],
  [
    'I6',
    'a login without a store',
    [LOGIN],
    ['issue', 1_500, 1_600, ok({ sid: 'other', subject: 'anna' }), {}],
    OUTAGE,
  ],
  [
    'I6',
    'a revocation said to be done without a store',
    [LOGIN],
    ['revoke', 1_500, 1_600, ok({ durability: 'local' })],
    OUTAGE,
  ],
  ['I6', 'a copy served for too long', [LOGIN], ['verify', 2_001, 2_002, ok()], OUTAGE],
  ['I6', 'a logout by an outage', [LOGIN], ['verify', 2_001, 2_002, fail('unknown')], OUTAGE],
  ['I7', 'no reason', [LOGIN], ['verify', 20, 30, fail(undefined)]],
  ['I7', 'a reason that is none', [LOGIN], ['verify', 20, 30, fail('because')]],
  ['I7', 'ended by nobody', [LOGIN], ['verify', 20, 30, fail('ended')]],
  ['I7', 'ended by what was never executed', [LOGIN, ['revoke', 12, 15, notDone]], ['verify', 20, 30, fail('ended')]],
  ['I7', 'unknown, and nothing was lost', [LOGIN], ['verify', 20, 30, fail('unknown')]],
  ['I7', 'reused, and everybody is honest', [LOGIN], ['refresh', 20, 30, fail('reused')]],
  [
    'I7',
    'expired too early',
    [LOGIN],
    ['verify', 3_000, 3_001, fail('expired_absolute')],
    { staleMs: 0, lifetime: { ms: 5_000, errorMs: 1_000 } },
  ],
]

describe('a history that breaks an invariant is found', () => {
  test.each(BAD)('%s: %s', (invariant, _what, good, bad, rules = RULES) => {
    expect(check(history(...good), rules)).toEqual([])
    expect(check(history(...good, bad), rules).map((one) => one.invariant)).toContain(invariant)
  })

  test('every invariant is among them', () => {
    expect([...new Set(BAD.map(([invariant]) => invariant))]).toEqual(Object.keys(INVARIANTS))
  })
})

test.each<[string, readonly Line[], Rules?]>([
  ['served within the bound', [LOGIN, REVOKED, ['verify', 1_510, 1_511, ok(), { node: 1 }]]],
  ['asked before the acknowledgement, however late it is answered', [LOGIN, REVOKED, ['update', 505, 9_000, ok()]]],
  [
    'alive after a revocation whose outcome is unknown',
    [LOGIN, ['revoke', 500, 510, unknown], ['look', 9_000, 9_001, ok()]],
  ],
  [
    'ended by a revocation whose outcome is unknown',
    [LOGIN, ['revoke', 500, 510, unknown], ['verify', 600, 601, fail('ended')]],
  ],
  ['opened while everything was ended', [['revokeAll', 5, 8, ok()], LOGIN, ['look', 9_000, 9_001, ok()]]],
  [
    'acknowledged by one who had been replaced, while another is asked',
    [LOGIN, ['revoke', 1_500, 1_510, ok({ durability: 'replicated' })], ['look', 1_700, 1_800, ok()]],
    LONG_LOSS,
  ],
  ['lost by the store, and not done again yet', [LOGIN, REVOKED, ['look', 2_999, 3_000, ok()]], LOSS],
  ['the same successor again', [LOGIN, ['refresh', 20, 30, ok(token(1, 'b'))], ['refresh', 40, 50, ok(token(1, 'b'))]]],
  [
    'an unknown write that was done',
    [LOGIN, ['update', 20, 30, unknown, { operation: 'x' }], ['look', 40, 50, ok({ operations: ['x'] })]],
  ],
  [
    'an unknown write that was not',
    [LOGIN, ['update', 20, 30, unknown, { operation: 'x' }], ['look', 40, 50, ok({ operations: [] })]],
  ],
  ['a copy within the bound of an outage', [LOGIN, ['verify', 1_900, 1_901, ok()]], OUTAGE],
  [
    'queued without a store, and refused there',
    [LOGIN, ['revoke', 1_500, 1_501, ok({ durability: 'queued' })], ['verify', 2_500, 2_501, fail('ended')]],
    OUTAGE,
  ],
])('nothing is wrong with one that is %s', (_what, lines, rules = RULES) => {
  expect(check(history(...lines), rules)).toEqual([])
})
