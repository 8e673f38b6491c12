// The page: one file, nothing loaded from anywhere.

import { absolute } from '../../bench/harness/result.ts'
import { STYLE as SHARED } from '../../bench/report/page.ts'
import { barPlot, safe } from '../../bench/report/plot.ts'
import type { Cell, Results } from '../cell.ts'
import { surprises } from '../expected.ts'
import { GROUPS, type Question, type QuestionGroup } from '../questions.ts'
import { ROWS, type Row } from '../rows.ts'
import type { Change } from './compare.ts'
import { LEGEND, short } from './table.ts'

const STYLE = `${SHARED}
body { max-width: 84rem }
table.lab { width: auto } table.lab th, table.lab td { padding: .25rem .5rem; border: 1px solid var(--line); font-size: 12.5px }
table.lab th[scope=row] { position: sticky; left: 0; background: var(--back); white-space: nowrap; font-weight: normal }
td.good { background: color-mix(in srgb, var(--pass) 22%, var(--back)) } td.late { background: color-mix(in srgb, #d4a72c 30%, var(--back)) }
td.hole { background: color-mix(in srgb, var(--missed) 25%, var(--back)) } td.na, td.skipped { color: var(--dim) } td.figure { text-align: right }
tr.naive th { font-style: italic } tr.first td, tr.first th { border-top: 3px solid var(--line) }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; font-size: 14px } dt { font-weight: 600 } dd { margin: 0; color: var(--dim) } div.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 36rem), 1fr)); gap: 0 2rem } figure { min-width: 0 }
details { margin: .5rem 0 } summary { cursor: pointer }`

export function page({ about, cells }: Results, changes?: readonly Change[]): string {
  const sections = GROUPS.map((group) => section(group, cells)).filter(Boolean)
  const odd = surprises(ROWS, cells)
  const facts = [
    ['When', about.date],
    ['Machine', `${about.cpu}, Node ${about.node}`],
    ['Took', `${Math.round(about.seconds)} s; ${about.rounds} rounds of each measurement`],
    ['Options', about.options || 'none'],
  ]
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Countersign: the strategy lab</title>
<style>${STYLE}</style>
<h1>The strategy lab</h1>
<p>Each row is a server in a process of its own: one of our strategies on one of our stores, or (in italics) code as people copy it from articles.
Each column is a question that was asked of it over HTTP. Each cell is what came back in this run; point at it, or open the list below a table, to see what was done.
Made by <code>npm run lab</code>.</p>
<p>${safe(LEGEND).replaceAll('   ', ' &emsp; ')}</p>
<div class="wide"><table>${facts.map(([name, value]) => `<tr><th>${name}</th><td>${safe(value!)}</td></tr>`).join('')}</table></div>
<p>${
    odd.length === 0
      ? 'Every cell is as it has to be: ours as promised, and the naive rows fail where they must.'
      : `<b class="missed">Not as it has to be (${odd.length}):</b> ${odd.map(({ cell, expected }) => safe(`${cell.row}, ${cell.question}: ${cell.verdict} (${cell.text}), and not ${expected.join(' or ')}`)).join('; ')}`
  }</p>
${changes ? changesOf(changes) : ''}
${sections.join('\n')}
</html>
`
}

function section(group: QuestionGroup, cells: readonly Cell[]): string {
  const questions = group.questions.filter(({ id }) => cells.some(({ question }) => question === id))
  const rows = ROWS.filter(({ id }) =>
    cells.some(({ row, question }) => row === id && questions.some((q) => q.id === question)),
  )
  if (rows.length === 0) return ''
  const about = questions.map(({ head, about }) => `<dt>${safe(head)}</dt><dd>${prose(about)}</dd>`).join('')
  const at = new Map(cells.map((cell) => [`${cell.row} ${cell.question}`, cell]))
  const lines = rows.map((row, line) => {
    const isFirst = line > 0 && rows[line - 1]!.store !== row.store
    const of = questions.map(({ id }) => cellOf(at.get(`${row.id} ${id}`)))
    return `<tr class="${row.kind}${isFirst ? ' first' : ''}"><th scope="row" title="${safe(row.about)}">${safe(row.id)}</th>${of.join('')}</tr>`
  })
  const seen = rows.flatMap((row) =>
    questions.flatMap(({ id }) => {
      const cell = at.get(`${row.id} ${id}`)
      return cell?.seen ? [`<tr><td>${safe(row.id)}</td><td>${safe(id)}</td><td>${safe(cell.seen)}</td></tr>`] : []
    }),
  )
  return `<h2 id="${group.id}">${safe(group.title)}</h2>
<p class="how">${prose(group.how)}</p>
<dl>${about}</dl>
<div class="wide"><table class="lab"><tr><td></td>${questions.map(({ head, about }) => `<th scope="col" title="${safe(about)}">${safe(head)}</th>`).join('')}</tr>${lines.join('')}</table></div>
${plotsOf(group, questions, rows, at)}
<details><summary>What was seen, cell by cell</summary><div class="wide"><table>${seen.join('')}</table></div></details>`
}

function cellOf(cell: Cell | undefined): string {
  if (!cell) return '<td></td>'
  const style = cell.verdict === 'n/a' ? 'na' : cell.verdict
  return `<td class="${style}" title="${safe(cell.seen ?? cell.text)}">${safe(short(cell))}</td>`
}

/** Of each price; and of how long a token outlives what should have ended it. */
function plotsOf(
  group: QuestionGroup,
  questions: readonly Question[],
  rows: readonly Row[],
  at: ReadonlyMap<string, Cell>,
): string {
  const plots = questions.flatMap((question) => {
    const isTime = group.id === 'revocation' && question.id === 'logout'
    if (question.unit === undefined && !isTime) return []
    const unit = isTime ? 'ms' : question.unit!
    const plotted = rows.flatMap((row) => {
      const value = at.get(`${row.id} ${question.id}`)?.value
      if (value === undefined) return []
      const one = { id: row.id, unit, about: row.about }
      return [{ row: one, measured: absolute(one, value, 1) }]
    })
    if (plotted.length < 2) return []
    const what = isTime
      ? 'How long a token is still accepted after the logout was answered. Short bars: the logout ends it, and what is seen is mostly the way over HTTP. Long bars: only its expiry does, after 4 s here and after minutes in real life.'
      : `${question.about}. ${question.better === 'more' ? 'Longer is better.' : 'Shorter is better.'}${unit === 'of bare' ? ' 1 would be as quick as checking nothing.' : unit === '× bare' ? ' 1 would be as quick as checking nothing. Of the row as it is by default, with its near cache where it has one.' : ''}`
    return [
      `<figure><figcaption><b>${safe(question.head)}</b>: ${prose(what)}</figcaption>${barPlot(plotted)}</figure>`,
    ]
  })
  return `<div class="plots">${plots.join('\n')}</div>`
}

function changesOf(changes: readonly Change[]): string {
  if (changes.length === 0) return '<p>Compared with the earlier run: no change.</p>'
  const lines = changes.map(
    ({ row, question, is, text }) =>
      `<tr><td><b class="${is === 'worse' ? 'missed' : is === 'better' ? 'pass' : 'reported'}">${is}</b></td><td>${safe(row)}</td><td>${safe(question)}</td><td>${safe(text)}</td></tr>`,
  )
  return `<h2 id="changes">Compared with the earlier run</h2><div class="wide"><table>${lines.join('')}</table></div>`
}

/** Text with code in backquotes. */
const prose = (text: string): string => safe(text).replace(/`([^`]+)`/g, '<code>$1</code>')
