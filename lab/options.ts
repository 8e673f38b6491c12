// The command line.
import { parseArgs } from 'node:util'
import { GUARDS } from './guards.ts'
import { GROUPS, QUESTIONS } from './questions.ts'
import { ROWS, type Row, STORES, STRATEGIES } from './rows.ts'

export const USAGE = `Usage: npm run lab -- [--only WORD,…] [--rounds N] [--json FILE] [--html FILE] [--compare FILE]

Asks every strategy on every store, and what people copy from articles, over HTTP: is the token dead after a logout, is a
forged one refused, what happens when the store is away, and what does it cost? Prints a table; writes JSON and one HTML
page. Ends with 1 when a cell is not as it has to be: ours as promised, naive rows failing where they must.

  --only WORDS    only these rows and questions. A word is a row (allowlist/redis), a strategy (${STRATEGIES.join(', ')}), a
                  store (${STORES.join(', ')}), "ours", "naive", a question, or a group of questions
                  (${GROUPS.map(({ id }) => id).join(', ')})
  --rounds N      rounds of each measurement of the price, 1 to 50. Default 3; on a slow
                  machine the last rows get one
  --json FILE     default artifacts/lab/results.json
  --html FILE     default artifacts/lab/report.html
  --compare FILE  results of an earlier run: says what changed, and ends with 1 when a cell got worse
  --guards        takes each guard out of a copy of the library in turn: the cell behind it has to change
  --without NAME  only this one: ${GUARDS.map(({ guard }) => guard).join(', ')}
  --list          prints the rows, the questions and the guards
  --help`

export interface Options {
  readonly rows: readonly Row[]
  readonly questions: ReadonlySet<string>
  /** `undefined`: as many as there is time for. */
  readonly rounds: number | undefined
  readonly json: string
  readonly html: string
  readonly compare: string | undefined
  /** Guards to take out, instead of the table. */
  readonly guards: 'all' | string | undefined
  readonly show: 'help' | 'list' | undefined
  /** As it was typed, for the report. */
  readonly typed: string
}

/** The command line is wrong: the message says what, in its own words. */
export class UsageError extends Error {}

export function readOptions(args: readonly string[]): Options {
  const { values } = parse(args)
  const { rows, questions } = select(values.only)
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds)
  if (rounds !== undefined && !(Number.isInteger(rounds) && rounds >= 1 && rounds <= 50))
    throw new UsageError(`"--rounds" must be a whole number from 1 to 50, and is ${values.rounds}`)
  if (values.without !== undefined && !GUARDS.some(({ guard }) => guard === values.without))
    throw new UsageError(`"--without" names ${values.without}; there is ${GUARDS.map(({ guard }) => guard).join(', ')}`)
  return {
    rows,
    questions,
    rounds,
    json: values.json ?? 'artifacts/lab/results.json',
    html: values.html ?? 'artifacts/lab/report.html',
    compare: values.compare,
    guards: values.without ?? (values.guards ? 'all' : undefined),
    show: values.help ? 'help' : values.list ? 'list' : undefined,
    typed: args.join(' '),
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        only: { type: 'string' },
        rounds: { type: 'string' },
        json: { type: 'string' },
        html: { type: 'string' },
        compare: { type: 'string' },
        guards: { type: 'boolean' },
        without: { type: 'string' },
        list: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

/** Rows and questions that the words name. Words of one kind add up; of both kinds, both have to fit. */
export function select(only: string | undefined): Pick<Options, 'rows' | 'questions'> {
  const words = only?.split(',').map((word) => word.trim()) ?? []
  const strategies = new Set<string>()
  const stores = new Set<string>()
  const ids = new Set<string>()
  const kinds = new Set<string>()
  const questions = new Set<string>()
  for (const word of words) {
    const group = GROUPS.find(({ id }) => id === word)
    if (ROWS.some(({ id }) => id === word)) ids.add(word)
    else if (STRATEGIES.some((name) => name === word)) strategies.add(word)
    else if (STORES.some((name) => name === word)) stores.add(word)
    else if (word === 'ours' || word === 'naive') kinds.add(word)
    else if (group) for (const { id } of group.questions) questions.add(id)
    else if (QUESTIONS.some(({ id }) => id === word)) questions.add(word)
    else
      throw new UsageError(`"--only" names ${word || 'nothing'}, and no row, strategy, store or question has this name`)
  }
  const isPlain = strategies.size + stores.size > 0
  const isNamed = ids.size + kinds.size > 0
  const rows = ROWS.filter((row) => {
    if (!isPlain && !isNamed) return true
    if (ids.has(row.id) || kinds.has(row.kind)) return true
    if (!isPlain || row.kind !== 'ours' || row.verifiesOnly) return false
    return (strategies.size === 0 || strategies.has(row.strategy!)) && (stores.size === 0 || stores.has(row.store))
  })
  return { rows, questions: questions.size > 0 ? questions : new Set(QUESTIONS.map(({ id }) => id)) }
}
