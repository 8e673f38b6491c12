// `npm run test:matrix`: the steps of `npm test`, once on each line of Node that is supported. They run one after the
// other: two at once would only be slower, and fail tests that wait. The last line is the sum, `N passed, N failed`.
import { parseArgs } from 'node:util'
import { environmentOf, NODES } from './matrix/nodes.ts'
import { type Row, readScore, summary } from './matrix/score.ts'
import { bin, run } from './steps.ts'

const lines = Object.keys(NODES).join(',')
const USAGE = `Usage: npm run test:matrix -- [--only ${lines}] [words…]

Runs what npm test runs, on each of these Nodes: ${Object.values(NODES).join(', ')}. Those that are missing
are downloaded from the npm registry into .cache/. With words, only the vitest files whose path holds one of them.`

const { values, positionals: words } = readArguments()
if (values.help) {
  console.log(USAGE)
  process.exit(0)
}
const wanted = values.only?.split(',') ?? Object.keys(NODES)
const unknown = wanted.filter((line) => !Object.hasOwn(NODES, line))
if (unknown.length > 0) usageError(`"--only" must be a list of ${lines}, and names ${unknown.join(', ')}`)

const rows: Row[] = []
for (const line of new Set(wanted)) {
  const version = NODES[line]!
  console.log(`\n== Node ${version}`)
  const startedMs = performance.now()
  const score = await runSuite(version)
  rows.push({ version, score, seconds: (performance.now() - startedMs) / 1_000 })
}
console.log(`\n${summary(rows).join('\n')}`)
process.exitCode = rows.every(({ score }) => score.failed === 0) ? 0 : 1

async function runSuite(version: string): Promise<Row['score']> {
  try {
    const env = await environmentOf(version)
    // The programs in node_modules/.bin take the first `node` on the path, and what the tests start is their own Node.
    const { code, output } = await run(bin('tsx'), ['tools/test.ts', ...words], { env, show: 'and collect' })
    return readScore(output, code)
  } catch (error) {
    console.log(`FAILED  ${(error as Error).message}`)
    return { passed: 0, failed: 1, skipped: 0 }
  }
}

function readArguments() {
  try {
    const options = { only: { type: 'string' }, help: { type: 'boolean', short: 'h' } } as const
    return parseArgs({ options, allowPositionals: true, strict: true })
  } catch (error) {
    return usageError((error as Error).message)
  }
}

function usageError(message: string): never {
  console.error(`${message}.\n\n${USAGE}`)
  process.exit(2)
}
