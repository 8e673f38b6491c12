// `npm run bench`: this library and what it is compared with, in turns, in one run. `bench/rows.ts` has the rows and
// what they have to reach; `docs/performance.md` is made from the results.
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { ensurePrograms } from '../tools/servers.ts'
import { MEASURES } from './groups/all.ts'
import { keepAwake } from './harness/awake.ts'
import { describeCores, move } from './harness/cores.ts'
import { endAll, isEnding } from './harness/ending.ts'
import { lock } from './harness/lock.ts'
import { once } from './harness/once.ts'
import { startBenchRedis } from './harness/processes.ts'
import { Progress } from './harness/progress.ts'
import type { Measured } from './harness/result.ts'
import type { Bench } from './harness/rounds.ts'
import { conditions } from './report/conditions.ts'
import { summary } from './report/summary.ts'
import { writeReport } from './report/write.ts'
import { ROWS, select } from './rows.ts'

const USAGE = `Usage: npm run bench -- [--quick] [--only ID,…] [--json FILE]

Compares this library with others, in turns, in one run. Ends with 1 when a bar is missed or a row could not be measured.
  --quick      5 rounds instead of 15, and a tenth of the sessions where many are needed
  --only       rows by id, or all whose id begins with the word before the slash: ${[...new Set(ROWS.map(({ id }) => id.split('/')[0]))].join(', ')}
  --json FILE  writes the results as a JSON array
A full run writes bench/results.json, bench/report.html and docs/performance.md; any other writes into artifacts/bench/.`

const values = readArguments()
if (values.help) {
  console.log(USAGE)
  process.exit(0)
}
const only = values.only?.split(',').map((word) => word.trim()) ?? []
const { groups } = select(only)
for (const name of only)
  if (select([name]).groups.length === 0) usageError(`"--only" names ${name}, and no row has this id`)

ensurePrograms(['redis-server', 'wrk', 'taskset', 'flock', 'nginx'])
const plan = { quick: values.quick === true, rounds: values.quick ? 5 : 15, seconds: 2 }
const planned = (group: (typeof groups)[number]) => MEASURES[group.id]!.plannedSeconds(plan, group.rows)
const progress = new Progress(groups.reduce((sum, group) => sum + planned(group), 0))
const bench: Bench = { ...plan, progress, redis: once(() => startBenchRedis()) }

const measured: Measured[] = []
const failures: string[] = []
try {
  await lock((text) => progress.note(text))
  move(process.pid, 'load')
  const about = conditions(plan, `${describeCores()}; ${keepAwake()}`)
  for (const group of groups) {
    try {
      for await (const one of MEASURES[group.id]!.run(bench, group)) measured.push(one)
    } catch (error) {
      // What is ended by Ctrl-C fails, and is no result. The handler of the signal ends the process.
      if (isEnding()) await new Promise(() => {})
      const missing = group.rows.filter(({ id }) => !measured.some(({ result }) => result.id === id))
      failures.push(`${missing.map(({ id }) => id).join(', ')}: ${(error as Error).message}`)
      progress.note(`${group.id} failed: ${(error as Error).message}`)
    }
  }
  progress.end()
  const { text, missed } = summary(measured, failures)
  console.log(text)
  if (values.json !== undefined)
    writeFileSync(
      values.json,
      `${JSON.stringify(
        measured.map(({ result }) => result),
        null,
        2,
      )}\n`,
    )
  const isWhole = !plan.quick && only.length === 0 && failures.length === 0
  console.log(writeReport({ about, measured }, isWhole))
  process.exitCode = missed + failures.length > 0 ? 1 : 0
} finally {
  await endAll()
}

function readArguments() {
  try {
    return parseArgs({
      options: {
        quick: { type: 'boolean' },
        only: { type: 'string' },
        json: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values
  } catch (error) {
    return usageError((error as Error).message)
  }
}

function usageError(message: string): never {
  console.error(`${message}.\n\n${USAGE}`)
  process.exit(2)
}
