// What the console shows at the end.
import type { Measured } from '../harness/result.ts'
import { ROWS } from '../rows.ts'
import { barText, intervalText, number, ratioText, verdict } from './words.ts'

export function summary(
  measured: readonly Measured[],
  failures: readonly string[],
): { readonly text: string; readonly missed: number } {
  const lines = [['row', 'ours', 'rival', 'unit', 'ratio', '95 % interval', 'bar', '']]
  let missed = 0
  for (const { result } of measured) {
    const row = ROWS.find(({ id }) => id === result.id)!
    const said = verdict(row, result)
    if (said === 'missed') missed++
    const rival = result.rival === null ? '' : number(result.rival)
    lines.push([
      result.id,
      number(result.ours),
      rival,
      result.unit,
      ratioText(result),
      intervalText(result),
      barText(row.bar),
      said === 'missed' ? 'MISSED' : said,
    ])
  }
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((cells) => cells[column]!.length)))
  const table = lines.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
  const failed = failures.map((failure) => `not measured: ${failure}`)
  const barred = measured.filter(({ result }) => ROWS.find(({ id }) => id === result.id)!.bar !== undefined).length
  const count = `${barred - missed} of ${barred} bars reached${failures.length > 0 ? ', and not all could be measured' : ''}`
  return { text: [...table, '', ...failed, count].join('\n'), missed }
}
