import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { LONG_FILES } from './tools/long-files.ts'

const long = process.env.COUNTERSIGN_LONG === '1'
/** Files were named, or the long form was. */
const all = long || process.env.COUNTERSIGN_ALL_FILES === '1'

export default defineConfig({
  test: {
    environment: 'node',
    include: ['packages/*/test/**/*.test.ts', '{bench,examples,lab,tools}/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**', 'packages/*/test/types/**', ...(all ? [] : Object.keys(LONG_FILES))],
    pool: 'forks',
    // Two for each core: most tests wait for a server, a deadline or a process.
    maxWorkers: 2 * Math.max(2, availableParallelism()),
    // Many tests start real servers and processes on a machine that does other things too.
    testTimeout: long ? 600_000 : 180_000,
    hookTimeout: 180_000,
    teardownTimeout: 10_000,
    // A forgotten `.only` would turn the whole suite green.
    allowOnly: false,
    // The built package is loaded by Node itself, not rewritten by the test runner: tests see what users get.
    server: { deps: { external: [/\/packages\/[^/]+\/dist\//] } },
    execArgv: ['--enable-source-maps'],
  },
})
