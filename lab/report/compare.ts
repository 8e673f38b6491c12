// This run and an earlier one, cell by cell.
import type { Cell, Results, Verdict } from '../cell.ts'
import { QUESTIONS } from '../questions.ts'

export interface Change {
  readonly row: string
  readonly question: string
  readonly is: 'better' | 'worse' | 'other'
  readonly text: string
}

/** From best to worst; what is not in it cannot be compared. */
const ORDER: readonly Verdict[] = ['good', 'late', 'hole']
/** A price that changed by less than this is the same: a busy machine does that. */
const NOISE = 0.25

/** What changed. Cells that only one of the runs has are not compared. */
export function compare(before: readonly Cell[], now: readonly Cell[]): readonly Change[] {
  const old = new Map(before.map((cell) => [`${cell.row} ${cell.question}`, cell]))
  return now.flatMap((cell): Change[] => {
    const was = old.get(`${cell.row} ${cell.question}`)
    if (!was) return []
    const change = cell.verdict === 'figure' && was.verdict === 'figure' ? price(was, cell) : verdict(was, cell)
    return change === undefined
      ? []
      : [{ row: cell.row, question: cell.question, is: change, text: `${word(was)} → ${word(cell)}` }]
  })
}

const word = ({ verdict, text }: Cell): string => (verdict === 'figure' ? text : `${verdict}: ${text}`)

function verdict(was: Cell, is: Cell): Change['is'] | undefined {
  if (was.verdict === is.verdict) return undefined
  const [a, b] = [ORDER.indexOf(was.verdict), ORDER.indexOf(is.verdict)]
  if (a === -1 || b === -1) return 'other'
  return b < a ? 'better' : 'worse'
}

function price(was: Cell, is: Cell): Change['is'] | undefined {
  const [a, b] = [was.value ?? 0, is.value ?? 0]
  if (Math.abs(b - a) <= NOISE * Math.max(Math.abs(a), Math.abs(b))) return undefined
  const { better } = QUESTIONS.find(({ id }) => id === is.question) ?? {}
  return (better === 'less') === b < a ? 'better' : 'worse'
}

/** @throws Error with what is wrong with the file. */
export function readResults(text: string, file: string): Results {
  let read: unknown
  try {
    read = JSON.parse(text)
  } catch {
    throw new Error(`${file} is not JSON`)
  }
  const { format, cells } = (read ?? {}) as Partial<Results>
  if (format !== 1 || !Array.isArray(cells)) throw new Error(`${file} was not written by the lab`)
  const isCell = (cell: Partial<Cell> | null) =>
    typeof cell?.row === 'string' && typeof cell.question === 'string' && typeof cell.verdict === 'string'
  if (!cells.every(isCell)) throw new Error(`${file} holds something that is no cell`)
  return read as Results
}

export function changesText(changes: readonly Change[]): string {
  if (changes.length === 0) return 'no change'
  const lines = changes.map(({ row, question, is, text }) => `${is.padEnd(6)} ${row}, ${question}: ${text}`)
  return lines.join('\n')
}
