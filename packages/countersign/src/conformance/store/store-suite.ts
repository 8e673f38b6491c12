import { invalidOption } from '../../internal/errors.ts'
import { refuseUnknown } from '../../strategies/options.ts'
import { equals } from '../checks.ts'
import { declareSuite, type Group, type Runner, type Skip } from '../runner.ts'
import { accountCases } from './accounts.ts'
import { additionCases } from './additions.ts'
import { type Bench, begin, collect, laterStore, type OpenedStore, type Part } from './bench.ts'
import { changeCases } from './change.ts'
import { createCases } from './create.ts'
import { endCases } from './end.ts'
import { lifecycleCases } from './lifecycle.ts'
import { onceCases } from './once.ts'
import { reopenCases } from './reopen.ts'
import { revocationCases } from './revocations.ts'
import { rotateCases } from './rotate.ts'
import { valueCases } from './values.ts'

export interface StoreSuiteOptions {
  /** Where the cases go: a module such as `vitest` or `node:test`, or the parts of one. */
  readonly runner: Runner
  /** Name of the store, for the title. */
  readonly name: string
  /**
   * Opens a store on data of its own, not connected yet. Called once for most cases, and again by those that close it.
   */
  open(): Promise<OpenedStore>
  /** Parts that the store has. Default: all five. What needs another part is reported as skipped. */
  readonly parts?: readonly Part[]
  /** Cases that the store cannot pass, each with the reason. */
  readonly skip?: readonly Skip[]
  /** How often the race for a one-time token is repeated, 1 or more. Default 50. */
  readonly rounds?: number
}

const OPTIONS = new Set(['runner', 'name', 'open', 'parts', 'skip', 'rounds'])

export const ALL_PARTS: readonly Part[] = ['sessions', 'revocations', 'accounts', 'once', 'lifecycle']

const FILES: readonly { title: string; needs: readonly Part[]; files: readonly ((bench: Bench) => void)[] }[] = [
  {
    title: 'sessions',
    needs: ['sessions'],
    files: [createCases, changeCases, rotateCases, endCases, additionCases, valueCases],
  },
  { title: 'revocations', needs: ['sessions', 'revocations'], files: [revocationCases] },
  { title: 'accounts', needs: ['accounts'], files: [accountCases] },
  { title: 'once', needs: ['once'], files: [onceCases] },
  { title: 'lifecycle', needs: ['lifecycle'], files: [lifecycleCases] },
  { title: 'sessions over a restart', needs: ['sessions', 'lifecycle'], files: [reopenCases] },
]

/**
 * What the contract promises (`countersign/stores/contract`), as cases that any store can be held to. Memory, SQLite,
 * Redis and Postgres are held to the same ones.
 *
 * Every case uses subjects of its own, so it may run on a store that holds data; only the one about the floor leaves
 * something behind, a floor of tomorrow, so never give it the store of a running application.
 *
 * @throws CountersignError `ERR_CONFIG_INVALID` when an option is wrong, or a skip names a case that does not exist.
 */
export function storeSuite(options: StoreSuiteOptions): void {
  refuseUnknown(options, OPTIONS, 'storeSuite')
  const { runner, name, open, skip = [], rounds = 50 } = options
  const parts = checkParts(options.parts)
  if (!Number.isInteger(rounds) || rounds < 1) throw invalidOption('rounds', 'must be a whole number of at least 1')

  let opened: OpenedStore | undefined
  let opening: Promise<OpenedStore> | undefined
  const openOnce = (): Promise<OpenedStore> => {
    opening ??= open().then(async (one) => {
      opened = one
      await begin(one.store)
      return one
    })
    return opening
  }
  const bench = { store: laterStore(() => opened!.store), parts, rounds, open: open as Bench['open'] }
  const groups: Group[] = FILES.map(({ title, needs, files }) => {
    const missing = needs.filter((part) => !parts.has(part))
    const cases = collect(bench, ...files).map((one) => ({
      title: one.title,
      run: async () => {
        await openOnce()
        await one.run()
      },
    }))
    return { title, cases, ...(missing.length > 0 && { notRun: `the store has no ${missing.join(' and no ')}` }) }
  })
  const offers: Group = {
    title: 'parts',
    cases: [
      {
        title: 'the store has the parts that it is said to have, and no others',
        run: async () => {
          const { store } = await openOnce()
          equals(
            ALL_PARTS.filter((part) => store[part] !== undefined),
            ALL_PARTS.filter((part) => parts.has(part)),
          )
        },
      },
    ],
  }
  declareSuite(runner, `${name} store`, [offers, ...groups], skip, async () => opened?.dispose())
}

/** @throws CountersignError `ERR_CONFIG_INVALID` when it is no list of parts, or one that makes no sense. */
export function checkParts(parts: readonly Part[] = ALL_PARTS): ReadonlySet<Part> {
  if (!Array.isArray(parts) || parts.length === 0 || !parts.every((part) => ALL_PARTS.includes(part))) {
    throw invalidOption('parts', `must be a list of some of ${ALL_PARTS.join(', ')}`)
  }
  const named = new Set(parts)
  if (named.has('revocations') && !named.has('sessions')) {
    throw invalidOption('parts', 'cannot hold revocations without sessions, whose steps write them')
  }
  return named
}
