// `docs/performance.md`: the same figures for who reads the repository.
import { GROUPS } from '../rows.ts'
import { barText, intervalText, number, ratioText, verdict } from './words.ts'
import type { Results } from './write.ts'

export function document({ about, measured }: Results): string {
  const rows = new Map(measured.map((one) => [one.result.id, one]))
  const sections = GROUPS.map((group) => {
    const lines = group.rows.flatMap((row) => {
      const one = rows.get(row.id)
      if (!one) return []
      const { result } = one
      const rival = result.rival === null ? '' : number(result.rival)
      const what = row.rival ? `${row.about} (${row.rival})` : row.about
      const cells = [`\`${row.id}\``, what, number(result.ours), rival, result.unit, ratioText(result)]
      return [[...cells, intervalText(result), barText(row.bar), verdict(row, result)]]
    })
    const head = ['Row', 'What', 'Ours', 'Rival', 'Unit', 'Ratio', '95 % interval', 'Bar', '']
    const table = [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`)
    return `## ${group.title}\n\n${group.how}\n\n${table.join('\n')}\n`
  })
  const rivals = Object.entries(about.rivals).map(([name, version]) => `${name} ${version}`)
  return `# Performance

Made by \`npm run bench\` from \`bench/results.json\`; do not edit. \`bench/report.html\` has the same figures with plots and with
notes on each row. How it is measured, and why so: [design note 0008](design/0008-benchmarks.md).

Each row is this library and another way to do the same, in turns, in one run. What counts is the ratio within a round
(ours ÷ rival), and of these the median; a bar is reached when the bound of its 95 % interval on the unfavourable side
reaches it. Absolute figures are of this one machine. Rows without a bar are reported and promise nothing.

| | |
| --- | --- |
| When | ${about.date} |
| Machine | ${about.cpu}, ${about.memoryGiB} GiB |
| Cores | ${about.cores} |
| Programs | Node ${about.node} (${about.newerNode} where a rival needs it), Redis ${about.redis}, wrk ${about.wrk} |
| Rounds | ${about.rounds}; HTTP: ${about.seconds} s for each side and round, in turns of 0.1 s, 64 connections |
| Other work on the machine | load average before the run: ${about.loadBefore} |
| Compared | ${rivals.join(', ')} |

${sections.join('\n')}`
}
