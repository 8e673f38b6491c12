// `npm run faults`: the fault matrix of docs/design/0009-faults.md on real servers and in the simulator. The last line is
// always `N passed, N failed[, N skipped]`.
import { parseArgs } from 'node:util'
import { root } from '../files.ts'
import type { Score } from '../steps.ts'
import { Random } from '../test-support/random.ts'
import type { VitestReport } from '../vitest-score.ts'
import { GUARDS, removeGuards } from './guards.ts'
import { rows } from './matrix.ts'
import { readReport, runTests, type Verdict, verdictOn } from './run-tests.ts'
import type { Context, Proof, Row, Tests } from './scenario.ts'
import { titleOf } from './scenario.ts'
import { Broken } from './verdict.ts'

const HELP = `npm run faults -- [options]

  --short              the form that npm test runs, a few minutes; without it the long one, hours
  --only N1,D3         only these rows
  --match TEXT         only proofs whose title holds the text
  --seed N             of everything that is left to chance (default: a new one, printed)
  --seeds N            lives of the simulator (default 50 short, 10 000 long)
  --soak 60m           how long S1 takes (default 20s short, 10m long)
  --report FILE        takes the results of tests from this report of a Vitest run instead of running them
  --guards             takes each guard out of the library in turn: its scenario has to fail
  --without GUARD      only this one: ${GUARDS.map(({ guard }) => guard).join(', ')}
  --list               prints the matrix
`

const { values } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    only: { type: 'string' },
    match: { type: 'string' },
    seed: { type: 'string' },
    seeds: { type: 'string' },
    soak: { type: 'string' },
    report: { type: 'string' },
    guards: { type: 'boolean', default: false },
    without: { type: 'string' },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})

/** Scenarios at a time in the short form: they wait for servers more than they work. */
const SHORT_LANES = 2
const isShort = values.short
const chosen = choose()
if (values.help) console.log(HELP)
else if (values.list) list()
else if (values.guards || values.without !== undefined) {
  const score = await removeGuards(values.without)
  finish(score)
} else finish(await runRows())

function choose(): readonly Row[] {
  const ids = values.only?.split(',').map((id) => id.trim().toUpperCase())
  const unknown = ids?.filter((id) => !rows.some((row) => row.id.toUpperCase() === id)) ?? []
  if (unknown.length > 0)
    fail(`--only: there is no row ${unknown.join(', ')}. Rows: ${rows.map(({ id }) => id).join(' ')}`)
  const { match } = values
  return rows
    .filter(({ id }) => ids === undefined || ids.includes(id.toUpperCase()))
    .map((row) => ({ ...row, proofs: row.proofs.filter((proof) => !match || titleOf(proof).includes(match)) }))
    .filter(({ proofs }) => proofs.length > 0)
}

function list(): void {
  for (const { id, fault, passes, proofs } of chosen) {
    console.log(`${id.padEnd(5)} ${fault}\n      passes: ${passes}`)
    for (const proof of proofs) console.log(`      ${proof.is.padEnd(9)} ${titleOf(proof)}`)
  }
}

async function runRows(): Promise<Score> {
  const score: Score = { passed: 0, failed: 0, skipped: 0 }
  const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : whole('--seed', values.seed)
  console.log(`faults, ${isShort ? 'short' : 'long'} form, --seed ${seed}`)
  const wanted = chosen.flatMap(({ proofs }) => proofs.filter((proof): proof is Tests => proof.is === 'tests'))
  const failures: string[] = []
  const startedMs = performance.now()
  let report: VitestReport | undefined
  if (values.report !== undefined) report = readReport(values.report)
  else {
    report = await runTests(wanted, isShort)
    if (wanted.length > 0) console.log(`        the tests of the matrix have run (${secondsSince(startedMs)})`)
  }
  // One list for all lanes: each takes the next one when it is done.
  const jobs = chosen.flatMap((row) => row.proofs.map((proof) => ({ row, proof }))).values()
  const lane = async () => {
    for (const { row, proof } of jobs) {
      const atMs = performance.now()
      const verdict = await judge(row, proof, report, seed)
      score[verdict.is]++
      const word = { passed: 'ok     ', failed: 'FAILED ', skipped: 'skipped' }[verdict.is]
      const time = proof.is === 'scenario' ? ` (${secondsSince(atMs)})` : ''
      const line = `${word} ${row.id.padEnd(4)} ${titleOf(proof)}${time}: ${verdict.said}`
      console.log(line)
      if (verdict.is !== 'failed') continue
      console.log(`             passes: ${row.passes}`)
      for (const detail of verdict.details ?? []) console.log(`             ${detail}`)
      // Once more: whoever sees only the end of it, of this proof or of the whole run, sees what it was.
      if (verdict.details) console.log(line)
      failures.push(line)
    }
  }
  await Promise.all(Array.from({ length: isShort ? SHORT_LANES : 1 }, lane))
  if (failures.length > 0) {
    console.log(`\n${failures.join('\n')}`)
    console.log(`the same again: npm run faults -- ${isShort ? '--short ' : ''}--seed ${seed}`)
  }
  return score
}

async function judge(row: Row, proof: Proof, report: VitestReport | undefined, seed: number): Promise<Verdict> {
  switch (proof.is) {
    case 'tests':
      return verdictOn(proof, report)
    case 'elsewhere':
      return { is: 'skipped', said: `not run here: needs ${proof.needs}` }
    case 'missing':
      return { is: 'failed', said: 'not built' }
  }
  const undo: (() => unknown)[] = []
  const context: Context = {
    isShort,
    seed,
    random: new Random(seed),
    soakMs: soakMs(),
    seeds: values.seeds === undefined ? (isShort ? 50 : 10_000) : whole('--seeds', values.seeds),
    cleanUp: (one) => undo.push(one),
    say: (line) => console.log(`        ${row.id}: ${line}`),
  }
  try {
    return { is: 'passed', said: await proof.run(context) }
  } catch (error) {
    if (error instanceof Broken) return { is: 'failed', said: error.message, details: error.history }
    const [said, ...details] = ((error as Error).stack ?? String(error)).replaceAll(root, '.').split('\n')
    return { is: 'failed', said: said!, details }
  } finally {
    for (const one of undo.reverse()) {
      try {
        await one()
      } catch (error) {
        console.log(`        ${row.id}: cleaning up: ${(error as Error).message}`)
      }
    }
  }
}

function soakMs(): number {
  if (values.soak === undefined) return isShort ? 20_000 : 600_000
  const parts = /^(\d+)([smh])$/.exec(values.soak)
  if (!parts) fail('--soak: a duration such as 90s, 60m or 1h')
  return Number(parts[1]) * { s: 1_000, m: 60_000, h: 3_600_000 }[parts[2] as 's' | 'm' | 'h']
}

function whole(option: string, text: string): number {
  const number = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(number)) fail(`${option}: a whole number`)
  return number
}

function fail(message: string): never {
  console.error(message)
  process.exit(2)
}

function secondsSince(startedMs: number): string {
  return `${((performance.now() - startedMs) / 1_000).toFixed(1)} s`
}

function finish({ passed, failed, skipped }: Score): void {
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1
}
