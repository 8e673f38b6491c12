// The page: one file, nothing loaded from anywhere.
import { GROUPS } from '../rows.ts'
import { barPlot, type Plotted, ratioPlot, safe } from './plot.ts'
import { barText, intervalText, number, ratioText, verdict } from './words.ts'
import type { Results } from './write.ts'

export const STYLE = `
:root { color-scheme: light dark; --ink: #1b1f24; --dim: #6a737d; --line: #d8dee4; --back: #fff; --pass: #2da44e; --missed: #cf222e; --reported: #6e7781; --bar: #bf3989 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --dim: #9198a1; --line: #30363d; --back: #0d1117; --bar: #db61a2 } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back); max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h2 { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: 1rem }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
td.number, th.number { text-align: right; white-space: nowrap }
.wide { overflow-x: auto }
svg { width: 100%; height: auto; font: 12px system-ui, sans-serif }
svg text { fill: var(--ink) } svg .label { text-anchor: end; font-size: 11.5px } svg .rival, svg .scale { fill: var(--dim) } svg .scale { text-anchor: middle }
svg .tick { stroke: var(--line) } svg .equal { stroke: var(--dim) } svg .bar { stroke: var(--bar); stroke-width: 2; stroke-dasharray: 4 3 }
svg .round { fill: var(--ink); opacity: .35 } svg .median { stroke: var(--ink); stroke-width: 2 }
svg .interval { opacity: .55 } .pass { fill: var(--pass) } .missed { fill: var(--missed) } .reported { fill: var(--reported) }
b.pass { color: var(--pass) } b.missed { color: var(--missed) } b.reported { color: var(--reported); font-weight: normal }
.how, figcaption, .note { color: var(--dim); font-size: 14px } figure { margin: 1rem 0 }`

export function page({ about, measured }: Results): string {
  const rows = new Map(measured.map((one) => [one.result.id, one]))
  const sections = GROUPS.map((group) => {
    const plotted = group.rows.flatMap((row) => (rows.has(row.id) ? [{ row, measured: rows.get(row.id)! }] : []))
    if (plotted.length === 0) return ''
    return `<h2 id="${group.id}">${safe(group.title)}</h2>\n<p class="how">${prose(group.how)}</p>\n${plots(plotted)}\n${table(plotted)}`
  })
  const facts = [
    ['When', about.date],
    ['Machine', `${about.cpu}, ${about.memoryGiB} GiB`],
    ['Cores', about.cores],
    [
      'Programs',
      `Node ${about.node} (${about.newerNode} where a rival needs it), Redis ${about.redis}, wrk ${about.wrk}`,
    ],
    [
      'Rounds',
      `${about.rounds}, each side once in each${about.quick ? ' (a quick run)' : ''}; HTTP: ${about.seconds} s each, in turns of 0.1 s, 64 connections`,
    ],
    ['Other work on the machine', `load average before the run: ${about.loadBefore}`],
    [
      'Compared',
      Object.entries(about.rivals)
        .map(([name, version]) => `${name} ${version}`)
        .join(', '),
    ],
  ]
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Countersign: the comparison</title>
<style>${STYLE}</style>
<h1>Countersign: the comparison</h1>
<p>Each row is this library and another way to do the same, in turns, in one run. What counts is the ratio within a round, and of these the median;
a bar is reached when the bound of its 95&nbsp;% interval on the unfavourable side reaches it. Made by <code>npm run bench</code>.</p>
<div class="wide"><table>${facts.map(([name, value]) => `<tr><th>${name}</th><td>${safe(value!)}</td></tr>`).join('')}</table></div>
${sections.join('\n')}
</html>
`
}

function plots(plotted: readonly Plotted[]): string {
  const ratios = plotted.filter(({ measured }) => measured.ratios.length > 1)
  const figures: string[] = []
  if (ratios.length > 0) {
    const caption =
      'ours ÷ rival, on a logarithmic axis; the full vertical line is 1, where both are alike. A dot is a round, the box the 95 % interval of the median, the line in it the median. The dashed line is the bar: the whole box has to be on its good side.'
    const better = ratios.every(({ row }) => row.unit === 'requests/s')
      ? 'Further right is better.'
      : 'Further left is better.'
    figures.push(`<figure>${ratioPlot(ratios)}<figcaption>${caption} ${better}</figcaption></figure>`)
  }
  const units = new Set(plotted.filter(({ measured }) => measured.ratios.length <= 1).map(({ row }) => row.unit))
  for (const unit of units) {
    const same = plotted.filter(({ row, measured }) => row.unit === unit && measured.ratios.length <= 1)
    figures.push(
      `<figure>${barPlot(same)}<figcaption>${safe(unit)}; the dashed line is the bar. Shorter is better.</figcaption></figure>`,
    )
  }
  return figures.join('\n')
}

function table(plotted: readonly Plotted[]): string {
  const lines = plotted.map(({ row, measured: { result, notes } }) => {
    const said = verdict(row, result)
    const cells = [
      number(result.ours),
      result.rival === null ? '' : number(result.rival),
      ratioText(result),
      intervalText(result),
      barText(row.bar),
    ]
    return `<tr><td><code>${row.id}</code><br>${prose(row.about)}${row.rival ? ` <i>(${safe(row.rival)})</i>` : ''}${notes ? `<br><span class="note">${safe(notes)}</span>` : ''}</td>${cells.map((cell) => `<td class="number">${cell}</td>`).join('')}<td>${safe(result.unit)}</td><td><b class="${said}">${said}</b></td></tr>`
  })
  const heads = ['ours', 'rival', 'ratio', '95 % interval', 'bar'].map((head) => `<th class="number">${head}</th>`)
  return `<div class="wide"><table><tr><th>row</th>${heads.join('')}<th>unit</th><th></th></tr>${lines.join('')}</table></div>`
}

/** Text with code in backquotes. */
const prose = (text: string): string => safe(text).replace(/`([^`]+)`/g, '<code>$1</code>')
