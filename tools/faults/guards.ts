// Takes one guard at a time out of a copy of the library, builds it, and runs the scenario that has to notice. So each
// guard is known to be needed, and each of these scenarios to be able to fail.
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { packageFolders, root } from '../files.ts'
import { bin, run, type Score } from '../steps.ts'

export interface Guard {
  readonly guard: string
  readonly what: string
  /** Each text has to be there exactly once. */
  readonly edits: readonly { readonly file: string; readonly find: string; readonly replace: string }[]
  /** What has to fail without it. */
  readonly notices: { readonly row: string; readonly match?: string }
}

const cache = (file: string) => `packages/countersign/src/cache/${file}`

export const GUARDS: readonly Guard[] = [
  {
    guard: 'global-epoch',
    what: 'reads under way are void when all that is tracked is',
    edits: [
      {
        file: cache('near-cache.ts'),
        find: '    this.#sessions?.voidAll()\n    this.#revocations?.voidAll()\n',
        replace: '',
      },
    ],
    notices: { row: 'N1', match: 'not kept when %s' },
  },
  {
    guard: 'key-epoch',
    what: 'a read under way is void when its session changes',
    edits: [
      {
        file: cache('near-cache.ts'),
        find: 'sessionChanged(id: SessionId): void {\n    this.#sessions?.voidKey(id)\n',
        replace: 'sessionChanged(id: SessionId): void {\n',
      },
    ],
    notices: { row: 'N1', match: 'not kept when %s' },
  },
  {
    guard: 'connection-generation',
    what: 'copies belong to one connection, and end with it',
    edits: [
      {
        file: 'packages/countersign/src/stores/redis/tracked-line.ts',
        find: '    this.#parts.owner.reset(this)\n    this.fencedMonotonicMs = Number.NEGATIVE_INFINITY\n    this.fencedWallMs = Number.NEGATIVE_INFINITY\n    this.#parts.client.destroy()\n',
        replace: '    this.#parts.client.destroy()\n',
      },
    ],
    notices: { row: 'N3' },
  },
  {
    guard: 'keyed-fence',
    what: 'behind sentinels a fence is one that only a primary with replicas lets pass',
    edits: [
      {
        file: 'packages/countersign/src/stores/redis/tracked-primaries.ts',
        find: "      if (deployment === 'sentinel') await requests.run(scripts.passFence, [], [])\n",
        replace: '',
      },
    ],
    notices: { row: 'N8', match: 'cut off together with a primary that was replaced' },
  },
  {
    guard: 'journal',
    what: 'revocations that a new primary does not know are done again',
    edits: [
      {
        file: 'packages/countersign/src/durable/reapplier.ts',
        find: 'const due = held.due(failovers.incarnationOf)',
        replace: 'const due: readonly Due[] = []',
      },
    ],
    notices: { row: 'D2', match: 'is done again within a second of seeing the new primary' },
  },
  {
    guard: 'own-write-drop-before',
    what: 'copies are dropped before a write is sent',
    edits: [
      {
        file: cache('own-writes.ts'),
        find: '  drop()\n  try {',
        replace: '  try {',
      },
    ],
    notices: {
      row: 'N10',
      match: 'no copy is served while a write of this process is under way, whose answer may be lost',
    },
  },
  {
    guard: 'own-write-drop-after',
    what: 'copies are dropped again when a write has been answered',
    edits: [
      {
        file: cache('own-writes.ts'),
        find: '  } finally {\n    drop()\n  }',
        replace: '  } finally {\n  }',
      },
    ],
    notices: {
      row: 'N10',
      match: 'what was read beside a write of this process is not served once the write has been acknowledged',
    },
  },
  {
    guard: 'repeated-write-drop',
    what: 'copies are dropped when a write that was asked for again turns out to have been done',
    edits: [
      {
        file: 'packages/countersign/src/verbs/records.ts',
        find: '      core.near.dropSession(id)\n',
        replace: '',
      },
    ],
    notices: {
      row: 'N10',
      match: 'an update that is told to be done only when it is asked for again drops the copy from before it',
    },
  },
  {
    guard: 'older-read-asked-again',
    what: 'a shared read that is older than the token is asked again before the store is said to have lost something',
    edits: [
      {
        file: 'packages/countersign/src/verbs/verify.ts',
        find: `    if (isOlder) {
      found = await ask(core, proof)
      standing = stand(core, proof, found, floor, nowMs)
    }
`,
        replace: '',
      },
    ],
    notices: { row: 'R9', match: 'a shared read that is older than the token is asked again' },
  },
  {
    guard: 'wall-clock-lease',
    what: 'the age of a lease is also taken by the wall clock, which does not stand still in a suspended machine',
    edits: [
      {
        file: cache('near-cache.ts'),
        find: ' && wallMs - line.fencedWallMs <= maxStaleMs',
        replace: '',
      },
    ],
    notices: { row: 'N11', match: 'not served when %s' },
  },
  {
    guard: 'per-hit-recheck',
    what: 'the times of token and session are compared on every hit',
    edits: [
      {
        file: cache('near-cache.ts'),
        find: '    if (nowMs < known.sinceMs || nowMs >= copy.overMs) return undefined\n',
        replace: '',
      },
    ],
    notices: { row: 'N11', match: 'not served when %s' },
  },
  {
    guard: 'waiting-while-asked',
    what: 'what waited for the store when it was asked is refused, though it has gone through before the answer came',
    edits: [
      {
        file: 'packages/countersign/src/durable/guarded-store.ts',
        find: 'return before.length === 0 ? now : [...before, ...now]',
        replace: 'return before.length < 0 ? before : now',
      },
    ],
    notices: { row: 'D6', match: 'a read that is executed before what waits goes through' },
  },
]

/** @throws Error when the text is not there exactly once: the list has to follow the code. */
export function edited(text: string, find: string, replace: string, file: string): string {
  const times = text.split(find).length - 1
  if (times !== 1) throw new Error(`${file}: the text of the guard is there ${times} times, and not once:\n${find}`)
  return text.replace(find, () => replace)
}

/** Passed: the scenario failed without its guard, and passes with it. */
export async function removeGuards(name?: string): Promise<Score> {
  const chosen = GUARDS.filter(({ guard }) => name === undefined || guard === name)
  if (chosen.length === 0)
    throw new Error(`no such guard: ${name}. Guards: ${GUARDS.map(({ guard }) => guard).join(', ')}`)
  const score: Score = { passed: 0, failed: 0, skipped: 0 }
  const table: string[] = []
  for (const guard of chosen) {
    const startedMs = performance.now()
    const result = await remove(guard)
    score[result.isNoticed ? 'passed' : 'failed']++
    const { row, match } = guard.notices
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1)
    const line = `${result.isNoticed ? 'ok     ' : 'FAILED '} without ${guard.guard.padEnd(22)} ${row.padEnd(4)} ${match ?? ''}`
    table.push(`${line.trimEnd()}: ${result.said}`)
    console.log(`${table.at(-1)} (${seconds} s)`)
  }
  if (table.length > 1) console.log(`\nguard → scenario → what happened without it\n${table.join('\n')}`)
  return score
}

type Ran = Awaited<ReturnType<typeof runScenario>>
/** What the scenarios say of the library as it is. */
const before = new Map<string, Promise<Ran>>()

async function remove(guard: Guard): Promise<{ isNoticed: boolean; said: string }> {
  const key = JSON.stringify(guard.notices)
  const running = before.get(key) ?? runScenario(root, guard)
  before.set(key, running)
  const withIt = await running
  if (withIt.failed !== 0 || withIt.code !== 0)
    return { isNoticed: false, said: `fails also with it: ${withIt.firstFailure}` }
  const folder = copyOfRepository()
  try {
    for (const { file, find, replace } of guard.edits) {
      const path = join(folder, file)
      writeFileSync(path, edited(readFileSync(path, 'utf8'), find, replace, file))
    }
    const built = await run(join(folder, 'node_modules', '.bin', 'tsc'), ['-b', 'packages/countersign', '--noCheck'], {
      cwd: folder,
    })
    if (built.code !== 0) return { isNoticed: false, said: `does not build: ${built.output.split('\n')[0]}` }
    const without = await runScenario(folder, guard)
    if (without.failed > 0) return { isNoticed: true, said: `failed as it must: ${without.firstFailure}` }
    return { isNoticed: false, said: 'nobody noticed' }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function runScenario(folder: string, { notices }: Guard) {
  const { row, match } = notices
  const flags = ['--short', '--only', row, '--seed', '1', ...(match ? ['--match', match] : [])]
  const { code, output } = await run(bin('tsx'), [join(folder, 'tools', 'faults', 'main.ts'), ...flags], {
    cwd: folder,
  })
  const failed = Number(/(\d+) failed/.exec(output.trimEnd().split('\n').at(-1) ?? '')?.[1] ?? Number.NaN)
  // A run that did not come to its last line has not shown anything.
  if (Number.isNaN(failed)) throw new Error(`the scenarios did not run:\n${output}`)
  const firstFailure =
    output
      .split('\n')
      .find((line) => line.startsWith('FAILED'))
      ?.slice(7, 200)
      .trim() ?? ''
  return { code, failed, firstFailure }
}

const LEFT_OUT = new Set(['node_modules', 'dist', '.git'])

/** With the packages of the workspace its own, and all others those that are installed here. */
export function copyOfRepository(): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-without-'))
  cpSync(root, folder, {
    recursive: true,
    filter: (path) => !LEFT_OUT.has(basename(path)) && !path.endsWith('.tsbuildinfo'),
  })
  const modules = join(folder, 'node_modules')
  mkdirSync(modules)
  const own = new Set(['countersign', '@countersign'])
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (!own.has(name) && !name.startsWith('.vite')) symlinkSync(join(root, 'node_modules', name), join(modules, name))
  }
  mkdirSync(join(modules, '@countersign'))
  for (const name of packageFolders()) {
    const place = name === 'countersign' ? 'countersign' : join('@countersign', name)
    symlinkSync(join(folder, 'packages', name), join(modules, place))
  }
  return folder
}
