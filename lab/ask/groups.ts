// Asks the questions that are wanted of the rows that are wanted.
import type { Cell, Finding } from '../cell.ts'
import { skipped } from '../cell.ts'
import { missing } from '../harness/places.ts'
import { GROUPS } from '../questions.ts'
import type { Row } from '../rows.ts'
import { type Ask, type Asked, Found, nobody, TooSlow } from './asked.ts'
import { forgery } from './forgery.ts'
import { renewal } from './renewal.ts'
import { revocation } from './revocation.ts'
import { type Run, SHORT, startRow } from './row-servers.ts'
import { mapSome } from './some.ts'
import { askDown, askEvicting, askFailover } from './trouble.ts'

export const ASKS: Readonly<Record<string, Ask>> = { ...revocation, ...renewal, ...forgery }

export interface Wanted {
  readonly rows: readonly Row[]
  readonly questions: ReadonlySet<string>
}
export type Report = (cell: Cell) => void
export type Tell = (step: string, now: string) => void

/** What can be asked of two servers and a token. */
export async function askTokens(run: Run, wanted: Wanted, report: Report, tell: Tell): Promise<void> {
  const ids = Object.keys(ASKS).filter((id) => wanted.questions.has(id))
  if (ids.length === 0) return
  // The ones that take their time come first.
  const rows = available(wanted.rows, ids, report)
  const inOrder = [...rows].sort((a, b) => Number(!a.oneAtATime) - Number(!b.oneAtATime))
  await mapSome(inOrder, (row) => {
    tell('questions', row.id)
    return askRow(run, row, ids, report)
  })
}

async function askRow(run: Run, row: Row, ids: readonly string[], report: Report): Promise<void> {
  const servers = await startRow(run, row, SHORT)
  try {
    // Connected, and warm: what is asked first must not take seconds.
    const { accessToken } = await servers.issuer.login(nobody())
    for (const checker of servers.checkers) await checker.get('/', accessToken)
    const one = async (id: string) => report({ row: row.id, question: id, ...(await ask(ASKS[id]!, servers)) })
    if (row.oneAtATime) for (const id of ids) await one(id)
    else await Promise.all(ids.map(one))
  } finally {
    await servers.stop()
  }
}

const TRIES = 4

async function ask(question: Ask, asked: Asked): Promise<Finding> {
  for (let time = 1; ; time++) {
    try {
      return await question(asked)
    } catch (error) {
      if (error instanceof Found) return error.finding
      if (!(error instanceof TooSlow)) throw error
      if (time === TRIES) return skipped('the machine is too busy')
    }
  }
}

/** What takes the servers away: of all rows at once. */
export async function askTrouble(run: Run, wanted: Wanted, report: Report, tell: Tell): Promise<void> {
  const ids = GROUPS.find(({ id }) => id === 'trouble')!
    .questions.map(({ id }) => id)
    .filter((id) => wanted.questions.has(id))
  if (ids.length === 0) return
  const rows = available(wanted.rows, ids, report)
  if (wanted.questions.has('down')) {
    tell('store down', 'servers are killed')
    await askDown(run, rows, report)
  }
  if (wanted.questions.has('evicting')) {
    await mapSome(rows, async (row) => {
      tell('evicting', row.id)
      report({ row: row.id, question: 'evicting', ...(await askEvicting(run, row)) })
    })
  }
  if (wanted.questions.has('failover')) {
    tell('fail-over', 'a primary is killed')
    await askFailover(run, rows, report)
  }
}

/** The rows whose store is there; of the others each question is a skip that says why. */
export function available(rows: readonly Row[], questions: readonly string[], report: Report): readonly Row[] {
  return rows.filter((row) => {
    const why = missing(row.store)
    if (why !== undefined) for (const question of questions) report({ row: row.id, question, ...skipped(why) })
    return why === undefined
  })
}
