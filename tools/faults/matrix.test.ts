import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { root } from '../files.ts'
import { LONG_FILES } from '../long-files.ts'
import { GUARDS } from './guards.ts'
import { rows } from './matrix.ts'
import { patternOf, verdictOn } from './run-tests.ts'
import { tests } from './scenario.ts'

const numbered = (letter: string, count: number) => Array.from({ length: count }, (_, n) => `${letter}${n + 1}`)
const IDS = [
  ...numbered('N', 11),
  ...numbered('D', 6),
  ...numbered('C', 2),
  ...numbered('R', 10),
  ...numbered('A', 4),
  ...['P1', 'Q1', 'S1', 'SIM'],
  ...numbered('L', 5),
]

describe('the matrix', () => {
  test('has every row once, and a proof for each', () => {
    expect(rows.map(({ id }) => id).toSorted()).toEqual(IDS.toSorted())
    for (const { id, passes, proofs } of rows)
      expect([id, passes.length > 0, proofs.length > 0]).toEqual([id, true, true])
  })

  const pointers = rows.flatMap(({ id, proofs }) =>
    proofs.flatMap((proof) => (proof.is === 'tests' ? [{ id, ...proof }] : [])),
  )
  test('needs no file that the short form leaves out', () => {
    expect(pointers.filter(({ file }) => file in LONG_FILES)).toEqual([])
  })

  test.each(pointers)('$id points at a test that is there: $name', ({ file, name, source = file }) => {
    expect(existsSync(join(root, file))).toBe(true)
    // As it stands there, with or without escapes.
    expect(readFileSync(join(root, source), 'utf8').replaceAll("\\'", "'")).toContain(name)
  })

  test('is the one of the design note', () => {
    const note = readFileSync(join(root, 'docs/design/0009-faults.md'), 'utf8')
    for (const { id, fault, passes } of rows) expect(note).toContain(`| ${id} | ${fault} | ${passes} |`)
  })
})

test.each(GUARDS)('the text of the guard $guard is there once', ({ edits, notices }) => {
  for (const { file, find } of edits) expect(readFileSync(join(root, file), 'utf8').split(find).length - 1).toBe(1)
  expect(rows.map(({ id }) => id)).toContain(notices.row)
})

describe('the verdict on a test', () => {
  const proof = tests('a.test.ts', 'works with %s')
  const report = (...results: [name: string, status: string][]) => ({
    testResults: [
      {
        name: join(root, 'a.test.ts'),
        status: 'passed',
        assertionResults: results.map(([fullName, status]) => ({ fullName, status })),
      },
    ],
  })
  test.each([
    [
      'passed when all of its name have',
      [
        ['it works with a', 'passed'],
        ['it works with b', 'passed'],
      ],
      'passed',
    ],
    [
      'failed when one has',
      [
        ['it works with a', 'passed'],
        ['it works with b', 'failed'],
      ],
      'failed',
    ],
    ['failed when none has run', [['another', 'passed']], 'failed'],
    ['failed when it was skipped without a reason', [['it works with a', 'skipped']], 'failed'],
    ['skipped when it was with one', [['it works with a [skipped: no such server]', 'skipped']], 'skipped'],
  ] as [string, [string, string][], string][])('%s', (_what, results, is) => {
    expect(verdictOn(proof, report(...results)).is).toBe(is)
  })
  test('failed without a report', () => {
    expect(verdictOn(proof, undefined).is).toBe('failed')
  })
  test('takes titles for templates, and for nothing else', () => {
    expect(patternOf('a (b) $name %s?').test('a (b) x y?')).toBe(true)
    expect(patternOf('a (b)').test('a b')).toBe(false)
  })
})
