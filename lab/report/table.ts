// The table in the terminal: one for each group of questions, rows down, questions across.
import type { Cell, Verdict } from '../cell.ts'
import type { QuestionGroup } from '../questions.ts'
import type { Row } from '../rows.ts'

const MARKS: Readonly<Record<Verdict, string>> = {
  good: '✓',
  late: '◷',
  hole: '✗',
  figure: ' ',
  'n/a': '–',
  skipped: '?',
}
const COLOURS: Readonly<Record<Verdict, string>> = {
  good: '32',
  late: '33',
  hole: '31',
  figure: '0',
  'n/a': '2',
  skipped: '2',
}

/** A cell in a few characters: mark, and what was seen. */
export const short = ({ verdict, text }: Pick<Cell, 'verdict' | 'text'>): string => `${MARKS[verdict]} ${text}`.trim()

const WIDTH = 27
const cut = (text: string): string => (text.length > WIDTH ? `${text.slice(0, WIDTH - 1)}…` : text)

/** @param colours - Escape codes for a terminal. */
export function table(group: QuestionGroup, rows: readonly Row[], cells: readonly Cell[], colours = false): string {
  const questions = group.questions.filter(({ id }) => cells.some((cell) => cell.question === id))
  const shown = rows.filter(({ id }) =>
    cells.some((cell) => cell.row === id && questions.some((q) => q.id === cell.question)),
  )
  if (shown.length === 0) return ''
  const at = new Map(cells.map((cell) => [`${cell.row} ${cell.question}`, cell]))
  const columns = questions.map(({ id, head }) => {
    const texts = shown.map((row) => {
      const cell = at.get(`${row.id} ${id}`)
      return { text: cell ? cut(short(cell)) : '', cell }
    })
    return { head, texts, width: Math.max(head.length, ...texts.map(({ text }) => text.length)) }
  })
  const first = Math.max(...shown.map(({ id }) => id.length))
  const lines = shown.map((row, line) => {
    const parts = columns.map(({ texts, width }) => {
      const { text, cell } = texts[line]!
      const padded = text.padEnd(width)
      return colours && cell ? `\u001b[${COLOURS[cell.verdict]}m${padded}\u001b[0m` : padded
    })
    return [row.id.padEnd(first), ...parts].join('  ').trimEnd()
  })
  const head = [''.padEnd(first), ...columns.map((column) => column.head.padEnd(column.width))].join('  ').trimEnd()
  return `${group.title}\n${head}\n${lines.join('\n')}\n`
}

export const LEGEND = '✓ holds   ◷ holds later: measured   ✗ does not hold   – does not arise   ? could not be asked'
