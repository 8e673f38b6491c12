// What a cell has to be: what `docs/strategies.md` promises, and the holes that naive rows must show. Only compared with
// what was seen, and only afterwards: so a question that went blind is found by the rows that should look bad.
import { BROKE, type Cell, type Verdict } from './cell.ts'
import type { Row } from './rows.ts'

/** Any of these. `undefined`: nothing is promised, as of prices. */
export type Expected = readonly Verdict[] | undefined

const REVOCATIONS = new Set(['logout', 'ban', 'demotion', 'password', 'limit'])
const FORGERIES = new Set(['alg-none', 'audience', 'claims', 'oversize'])

export function expected(row: Row, question: string): Expected {
  return row.kind === 'ours' ? promised(row, question) : known(row, question)
}

function promised({ strategy, store, verifiesOnly }: Row, question: string): Expected {
  if (REVOCATIONS.has(question)) return strategy === 'stateless' || verifiesOnly ? ['late'] : ['good']
  if (strategy === 'opaque' && (question === 'claims' || question === 'stolen-refresh')) return ['n/a']
  if (question === 'bystander' || question === 'confusion' || FORGERIES.has(question)) return ['good']
  if (verifiesOnly && ['stale', 'stolen-refresh', 'one-time'].includes(question)) return ['n/a']
  if (['stale', 'stolen-refresh', 'one-time'].includes(question)) return ['good']
  const arises: Readonly<Record<string, boolean>> = {
    down: store === 'redis' || store === 'postgres',
    evicting: store === 'redis' && strategy !== 'stateless' && !verifiesOnly,
    failover: store === 'redis-cluster',
  }
  if (question in arises) return [arises[question] ? 'good' : 'n/a']
  return undefined
}

/** Where a naive row must not look good. What it does well nobody promises. */
const HOLES: Readonly<Record<string, Readonly<Record<string, readonly Verdict[]>>>> = {
  jsonwebtoken: {
    ...all(['logout', 'ban', 'demotion', 'password', 'limit', 'stale'], ['late']),
    ...all(['stolen-refresh', 'one-time', 'audience', 'claims', 'oversize'], ['hole']),
  },
  'jsonwebtoken-exists': {
    logout: ['good'],
    ...all(['ban', 'demotion', 'password', 'limit', 'stale'], ['late']),
    ...all(['stolen-refresh', 'one-time', 'audience', 'claims', 'oversize', 'down'], ['hole']),
  },
  'jsonwebtoken-blacklist': {
    logout: ['good'],
    ...all(['ban', 'demotion', 'password', 'limit', 'stale'], ['late']),
    ...all(['stolen-refresh', 'one-time', 'audience', 'claims', 'oversize', 'down', 'evicting'], ['hole']),
  },
  'fixed-key': {
    ...all(['ban', 'demotion'], ['late']),
    ...all(['bystander', 'password', 'stale', 'stolen-refresh', 'one-time', 'down'], ['hole']),
  },
  'jose-jwks': {
    ...all(['logout', 'ban', 'demotion', 'password', 'limit'], ['late']),
    ...all(['audience', 'claims', 'oversize'], ['hole']),
  },
}

function all(questions: readonly string[], verdicts: readonly Verdict[]) {
  return Object.fromEntries(questions.map((question) => [question, verdicts]))
}

const known = ({ id }: Row, question: string): Expected => HOLES[id]?.[question]

export interface Surprise {
  readonly cell: Cell
  readonly expected: readonly Verdict[]
}

/** The cells that are not what they have to be. What could not be asked is none of them. */
export function surprises(rows: readonly Row[], cells: readonly Cell[]): readonly Surprise[] {
  return cells.flatMap((cell) => {
    const row = rows.find(({ id }) => id === cell.row)
    const wanted = row && (cell.text === BROKE ? ['good' as const] : expected(row, cell.question))
    if (!wanted || cell.verdict === 'skipped' || wanted.includes(cell.verdict)) return []
    return [{ cell, expected: wanted }]
  })
}
