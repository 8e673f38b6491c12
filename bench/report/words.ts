// Numbers and verdicts in the words of the console, the page and the document.
import { passes, type Result } from '../harness/result.ts'
import type { Bar, Row } from '../rows.ts'

export function number(value: number): string {
  if (value >= 10_000) return Math.round(value).toLocaleString('en-US').replaceAll(',', ' ')
  if (Number.isInteger(value)) return String(value)
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

export const barText = (bar: Bar | undefined): string =>
  bar === undefined ? '' : 'atMost' in bar ? `≤ ${number(bar.atMost)}` : `≥ ${number(bar.atLeast)}`

export const ratioText = ({ ratio }: Result): string => (ratio === null ? '' : ratio.toFixed(2))

export const intervalText = ({ low, high }: Result): string =>
  low === null || high === null ? '' : `${low.toFixed(2)} – ${high.toFixed(2)}`

export function verdict(row: Row, result: Result): 'pass' | 'missed' | 'reported' {
  const passed = passes(row, result)
  return passed === undefined ? 'reported' : passed ? 'pass' : 'missed'
}
