// What the lab is made of, and the lab itself in a short form: one store, a few questions, and one guard taken out.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { edited } from '../tools/faults/guards.ts'
import { root } from '../tools/files.ts'
import { bin, run } from '../tools/steps.ts'
import { isLong } from '../tools/test-support/counts.ts'
import { ASKS } from './ask/groups.ts'
import { broken, type Cell, figure, good, hole, late, none, type Results, skipped } from './cell.ts'
import { expected, surprises } from './expected.ts'
import { GUARDS } from './guards.ts'
import { readOptions, select, UsageError } from './options.ts'
import { GROUPS, QUESTIONS } from './questions.ts'
import { changesText, compare, readResults } from './report/compare.ts'
import { page } from './report/page.ts'
import { table } from './report/table.ts'
import { ROWS } from './rows.ts'

const folder = mkdtempSync(join(tmpdir(), 'countersign-lab-test-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const cell = (row: string, question: string, finding: Omit<Cell, 'row' | 'question'>): Cell => ({
  row,
  question,
  ...finding,
})
const about = { date: '2026-01-01', node: '24', cpu: 'one', seconds: 1, rounds: 1, options: '' }
const results = (cells: Cell[]): Results => ({ format: 1, about, cells })

describe('rows, questions and guards', () => {
  it('have an id of their own each, and every question is one that is asked', () => {
    for (const ids of [ROWS.map(({ id }) => id), QUESTIONS.map(({ id }) => id), GUARDS.map(({ guard }) => guard)])
      expect(new Set(ids).size).toBe(ids.length)
    const asked = GROUPS.filter(({ id }) => id !== 'trouble' && id !== 'price').flatMap(({ questions }) => questions)
    expect(asked.map(({ id }) => id).sort()).toEqual(Object.keys(ASKS).sort())
  })

  it('every guard is in the code once, and behind a cell that is promised to be good', () => {
    for (const { row, question, edits } of GUARDS) {
      expect(expected(ROWS.find(({ id }) => id === row)!, question)?.[0]).toBe('good')
      for (const { file, find, replace } of edits) edited(readFileSync(join(root, file), 'utf8'), find, replace, file)
    }
  })

  it('every naive row has to fail somewhere, and no row of ours may', () => {
    for (const row of ROWS) {
      const wanted = QUESTIONS.flatMap(({ id }) => expected(row, id) ?? [])
      expect([row.id, wanted.includes('hole')]).toEqual([row.id, row.kind === 'naive'])
    }
  })
})

describe('what a cell has to be', () => {
  it('a question that went blind is found by the row that should look bad', () => {
    const blind = cell('jsonwebtoken', 'logout', good('dead'))
    expect(surprises(ROWS, [blind])).toEqual([{ cell: blind, expected: ['late'] }])
    expect(surprises(ROWS, [cell('jsonwebtoken', 'logout', late('alive 3 s'))])).toEqual([])
    const unasked = [
      cell('allowlist/redis', 'evicting', none('nothing to forget')),
      cell('opaque/postgres', 'down', none('?')),
    ]
    expect(surprises(ROWS, unasked).map((one) => one.cell)).toEqual(unasked)
    expect(surprises(ROWS, [cell('stateless/redis', 'evicting', none('nothing to forget'))])).toEqual([])
  })

  it('a broken promise is found, a price and what could not be asked are none', () => {
    const missed = cell('allowlist/redis', 'logout', late('alive 3 s'))
    const rest = [cell('allowlist/redis', 'bytes', figure('1', 1)), cell('allowlist/redis', 'ban', skipped('no redis'))]
    expect(surprises(ROWS, [missed, ...rest]).map((one) => one.cell)).toEqual([missed])
    const broke = cell('fixed-key', 'p50', broken('no connection'))
    expect(surprises(ROWS, [broke]).map((one) => one.cell)).toEqual([broke])
    expect(surprises(ROWS, [cell('stateless/redis', 'logout', late('alive 3 s'))])).toEqual([])
  })
})

describe('the command line', () => {
  const of = (only: string) => select(only).rows.map(({ id }) => id)

  it('chooses rows by id, strategy and store, and questions by id and group', () => {
    expect(of('allowlist,redis')).toEqual(['allowlist/redis'])
    expect(of('denylist')).toHaveLength(5)
    expect(of('memory,jsonwebtoken')).toEqual([
      ...['opaque', 'stateless', 'denylist', 'allowlist'].map((name) => `${name}/memory`),
      'jsonwebtoken',
    ])
    expect(of('naive')).toHaveLength(5)
    expect(of('logout')).toHaveLength(ROWS.length)
    expect([...select('logout,forgery').questions]).toEqual(['logout', ...GROUPS[2]!.questions.map(({ id }) => id)])
  })

  it.each([
    [['--only', 'alowlist'], '"--only" names alowlist'],
    [['--rounds', '0'], '"--rounds" must be a whole number from 1 to 50'],
    [['--without', 'nothing'], '"--without" names nothing; there is ended-record'],
    [['--onyl', 'x'], "Unknown option '--onyl'"],
  ])('refuses %j', (args, message) => {
    expect(() => readOptions(args)).toThrow(UsageError)
    expect(() => readOptions(args)).toThrow(message)
  })
})

describe('the table', () => {
  it('has a column for each question that was asked, and marks what was seen', () => {
    const cells = [
      cell('allowlist/memory', 'logout', good('dead, 3 ms')),
      cell('stateless/memory', 'logout', late('alive 3.2 s, to exp')),
      cell('stateless/memory', 'bystander', none('alone')),
    ]
    expect(
      table(GROUPS[0]!, ROWS, cells)
        .split('\n')
        .map((line) => line.trimEnd()),
    ).toEqual([
      'When does it take effect?',
      '                  logout                 bystander',
      'stateless/memory  ◷ alive 3.2 s, to exp  – alone',
      'allowlist/memory  ✓ dead, 3 ms',
      '',
    ])
    expect(table(GROUPS[1]!, ROWS, cells)).toBe('')
  })
})

describe('the comparison', () => {
  const now = [
    cell('opaque/redis', 'logout', hole('alive')),
    cell('opaque/redis', 'ban', good('dead, 9 ms')),
    cell('opaque/redis', 'speed', figure('0.30', 0.3)),
    cell('opaque/redis', 'bytes', figure('131', 131)),
    cell('opaque/redis', 'down', good('503')),
  ]
  const then = [
    cell('opaque/redis', 'logout', good('dead')),
    cell('opaque/redis', 'ban', good('dead, 3 ms')),
    cell('opaque/redis', 'speed', figure('0.60', 0.6)),
    cell('opaque/redis', 'bytes', figure('140', 140)),
    cell('opaque/redis', 'down', skipped('no redis')),
  ]

  it('tells what got worse, better, or cannot be compared; not how long it took, and no noise', () => {
    expect(compare(then, now).map(({ question, is }) => [question, is])).toEqual([
      ['logout', 'worse'],
      ['speed', 'worse'],
      ['down', 'other'],
    ])
    expect(compare(now, then).map(({ is }) => is)).toEqual(['better', 'better', 'other'])
    expect(changesText(compare(now, now))).toBe('no change')
  })

  it.each([
    ['{', 'f is not JSON'],
    ['[]', 'f was not written by the lab'],
    ['{"format":1,"cells":[{}]}', 'f holds something that is no cell'],
  ])('refuses %s', (text, message) => {
    expect(() => readResults(text, 'f')).toThrow(message)
  })
})

describe('the page', () => {
  const html = page(
    results([
      cell('allowlist/redis', 'logout', good('dead, <3 ms>', 'refused "everywhere"', 3)),
      cell('jsonwebtoken', 'logout', late('alive 3.2 s', 'refused at exp', 3_200)),
      cell('jsonwebtoken', 'claims', hole('accepted without exp')),
      cell('jsonwebtoken', 'bytes', figure('281', 281)),
      cell('allowlist/redis', 'bytes', figure('537', 537)),
    ]),
  )

  it('shows each cell with what was seen, in a colour of its own, and a plot for each price', () => {
    expect(html).toContain('title="refused &#34;everywhere&#34;">✓ dead, &#60;3 ms&#62;')
    expect(html).toMatch(/<td class="late"[^>]*>◷ alive 3.2 s/)
    expect(html).toMatch(/<td class="hole"[^>]*>✗ accepted without exp/)
    expect(html.match(/<svg/g)).toHaveLength(2)
    expect(html).toContain('Every cell is as it has to be')
  })

  it('loads nothing', () => {
    expect(html).not.toMatch(/<script|<link|<img|src=|url\(|@import/)
  })
})

const lab = (...args: string[]) => run(bin('tsx'), ['lab/main.ts', ...args])

describe('npm run lab', () => {
  it('says what is wrong, before it starts anything', async () => {
    const file = join(folder, 'other.json')
    writeFileSync(file, '{}')
    const { code, output } = await lab('--compare', file)
    expect([code, output]).toEqual([2, expect.stringContaining(`"--compare": ${file} was not written by the lab`)])
  })

  it('asks two strategies and a naive row, and writes what it saw', async () => {
    const [json, html] = [join(folder, 'results.json'), join(folder, 'report.html')]
    const only = isLong ? 'memory,jsonwebtoken' : 'allowlist/memory,jsonwebtoken,logout,bystander,alg-none,claims'
    const { code, output } = await lab('--only', only, '--rounds', '1', '--json', json, '--html', html)
    expect([code, output]).toEqual([0, expect.stringContaining('all as they have to be')])
    const { cells } = readResults(readFileSync(json, 'utf8'), json)
    const at = (row: string, question: string) => cells.find((one) => one.row === row && one.question === question)
    expect(at('allowlist/memory', 'logout')).toMatchObject({
      verdict: 'good',
      seen: expect.stringContaining('401 ended'),
    })
    expect(at('allowlist/memory', 'claims')?.seen).toContain('accepted without: none')
    expect(at('jsonwebtoken', 'logout')).toMatchObject({
      verdict: 'late',
      text: expect.stringMatching(/^alive .*to exp$/),
    })
    expect(at('jsonwebtoken', 'claims')).toMatchObject({ verdict: 'hole' })
    expect(output).toMatch(/allowlist\/memory +✓ dead/)
    expect(readFileSync(html, 'utf8')).toContain('<table class="lab">')
  })

  it(`a cell changes when the guard behind it is taken out${isLong ? ', each of them' : ''}`, async () => {
    const { code, output } = await lab(...(isLong ? ['--guards'] : ['--without', 'not-before']))
    expect([code, output]).toEqual([
      0,
      expect.stringMatching(/ok +not-before +denylist\/memory, demotion: +good .* → late/),
    ])
  })
})
