// `npm run lab`: every strategy, every store, and what people copy from articles, asked the same questions over HTTP.
// `docs/lab.md` says how to read what it prints.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { dirname } from 'node:path'
import { generateKeyring } from 'countersign'
import { endAll, isEnding } from '../bench/harness/ending.ts'
import { askTokens, askTrouble } from './ask/groups.ts'
import type { Cell, Results } from './cell.ts'
import { surprises } from './expected.ts'
import { GUARDS, removeGuards } from './guards.ts'
import { Places } from './harness/places.ts'
import { LabProgress } from './harness/progress.ts'
import { type Options, readOptions, USAGE, UsageError } from './options.ts'
import { askPrice, ROUNDS } from './price/price.ts'
import { GROUPS, QUESTIONS } from './questions.ts'
import { type Change, changesText, compare, readResults } from './report/compare.ts'
import { page } from './report/page.ts'
import { LEGEND, table } from './report/table.ts'
import { ROWS } from './rows.ts'

const options = optionsOf()
const before = options.compare === undefined ? undefined : readBefore(options.compare)
if (options.show === 'help') console.log(USAGE)
else if (options.show === 'list') console.log(list())
else {
  try {
    process.exitCode = options.guards === undefined ? await askAll(options) : await removeGuards(options.guards)
  } catch (error) {
    // What is ended by Ctrl-C fails, and is no result. The handler of the signal ends the process.
    if (isEnding()) await new Promise(() => {})
    throw error
  } finally {
    await endAll()
  }
}

async function askAll({ rows, questions, rounds, json, html, typed }: Options): Promise<number> {
  const progress = new LabProgress(rows.length * questions.size)
  const cells: Cell[] = []
  const report = (cell: Cell) => {
    cells.push(cell)
    progress.cellDone()
  }
  const secret = 'a secret that nobody guesses: violet kettles'
  const run = { places: new Places(), keyring: generateKeyring({ signing: ['HS256', 'ES256'] }), secret }
  const wanted = { rows, questions }
  await askTokens(run, wanted, report, progress.tell)
  await askTrouble(run, wanted, report, progress.tell)
  await askPrice(run, wanted, rounds, report, progress.tell)
  progress.end()

  const about = {
    date: new Date().toISOString().slice(0, 10),
    node: process.versions.node,
    cpu: `${cpus()[0]?.model.trim() ?? 'unknown'}, ${cpus().length} cores`,
    seconds: progress.seconds(),
    rounds: rounds ?? ROUNDS,
    options: typed,
  }
  const results: Results = { format: 1, about, cells: inOrder(cells) }
  const changes = before && compare(before.cells, results.cells)
  for (const group of GROUPS) {
    const text = table(group, ROWS, results.cells, process.stdout.isTTY === true)
    if (text) console.log(text)
  }
  console.log(LEGEND)
  const skips = [...new Set(cells.flatMap(({ verdict, text }) => (verdict === 'skipped' ? [text] : [])))]
  for (const why of skips)
    console.log(
      `skipped: ${cells.filter(({ verdict, text }) => verdict === 'skipped' && text === why).length} cells, because ${why}`,
    )
  write(json, `${JSON.stringify(results, null, 1)}\n`)
  write(html, page(results, changes))
  console.log(`written: ${json}, ${html}`)
  return verdictOn(results, changes)
}

function verdictOn({ cells, about }: Results, changes: readonly Change[] | undefined): number {
  const odd = surprises(ROWS, cells)
  for (const { cell, expected } of odd)
    console.log(
      `NOT AS IT HAS TO BE: ${cell.row}, ${cell.question}: ${cell.verdict} (${cell.text}), and not ${expected.join(' or ')}. ${cell.seen ?? ''}`,
    )
  if (changes) console.log(`compared with ${options.compare}:\n${changesText(changes)}`)
  const isWorse = changes?.some(
    ({ is, question }) => is === 'worse' && !GROUPS.at(-1)!.questions.some(({ id }) => id === question),
  )
  console.log(
    `${cells.length} cells in ${Math.round(about.seconds)} s: ${odd.length === 0 ? 'all as they have to be' : `${odd.length} not as they have to be`}`,
  )
  return odd.length > 0 || isWorse ? 1 : 0
}

/** As the tables have them, not as they came. */
function inOrder(cells: readonly Cell[]): Cell[] {
  const place = ({ row, question }: Cell) =>
    ROWS.findIndex(({ id }) => id === row) * QUESTIONS.length + QUESTIONS.findIndex(({ id }) => id === question)
  return [...cells].sort((a, b) => place(a) - place(b))
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

function list(): string {
  const lines = [
    'rows',
    ...ROWS.map(({ id, about }) => `  ${id.padEnd(24)} ${about}`),
    ...GROUPS.flatMap(({ id, title, questions }) => [
      `${id}: ${title}`,
      ...questions.map((question) => `  ${question.id.padEnd(16)} ${question.about}`),
    ]),
    'guards, and the cell that changes without them',
    ...GUARDS.map(
      ({ guard, row, question, what }) => `  ${guard.padEnd(22)} ${`${row}, ${question}`.padEnd(34)} ${what}`,
    ),
  ]
  return lines.join('\n')
}

function optionsOf(): Options {
  try {
    return readOptions(process.argv.slice(2))
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    return usageError(error.message)
  }
}

function readBefore(file: string): Results {
  try {
    return readResults(readFileSync(file, 'utf8'), file)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return usageError(`"--compare": ${code ? `${file} cannot be read (${code})` : message}`)
  }
}

function usageError(message: string): never {
  console.error(`${message}.\n\n${USAGE}`)
  process.exit(2)
}
