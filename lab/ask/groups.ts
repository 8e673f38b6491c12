// Asks the questions that are wanted of the rows that are wanted.
import { isEnding } from '../../bench/harness/ending.ts'
import { broken, type Cell, type Finding, skipped } from '../cell.ts'
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
    return guarded([row], ids, report, (told) => askRow(run, row, ids, told))
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

/** The questions of a group that are wanted. */
export function idsOf(group: string, { questions }: Wanted): string[] {
  const all = GROUPS.find(({ id }) => id === group)!.questions.map(({ id }) => id)
  return all.filter((id) => questions.has(id))
}

/** What takes the servers away: of all rows at once. */
export async function askTrouble(run: Run, wanted: Wanted, report: Report, tell: Tell): Promise<void> {
  const ids = idsOf('trouble', wanted)
  if (ids.length === 0) return
  const rows = available(wanted.rows, ids, report)
  const about: Readonly<Record<string, (told: Report) => Promise<unknown>>> = {
    down: (told) => askDown(run, rows, told),
    evicting: (told) =>
      mapSome(rows, (row) =>
        guarded([row], ['evicting'], told, async (one) =>
          one({ row: row.id, question: 'evicting', ...(await askEvicting(run, row)) }),
        ),
      ),
    failover: (told) => askFailover(run, rows, told),
  }
  for (const id of ids) {
    tell(id, 'servers are killed, or run out of memory')
    await guarded(rows, [id], report, about[id]!)
  }
}

/** Does the work; when it throws, the cells that have not come say so, and the lab goes on with the next. */
export async function guarded(
  rows: readonly Row[],
  questions: readonly string[],
  report: Report,
  work: (report: Report) => Promise<unknown>,
): Promise<void> {
  const there = new Set<string>()
  try {
    await work((cell) => {
      there.add(`${cell.row} ${cell.question}`)
      report(cell)
    })
  } catch (error) {
    if (isEnding()) throw error
    for (const { id: row } of rows)
      for (const question of questions)
        if (!there.has(`${row} ${question}`)) report({ row, question, ...broken((error as Error).message) })
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
