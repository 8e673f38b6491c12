import { invalidOption } from '../../internal/errors.ts'
import { refuseUnknown } from '../../strategies/options.ts'
import { declareSuite, type Group, type Runner, type Skip } from '../runner.ts'
import type { OpenedStore, Part } from '../store/bench.ts'
import { checkParts } from '../store/store-suite.ts'
import { type Declare, type Traits, Tries } from './bench.ts'
import { lifetimeCases } from './lifetimes.ts'
import { recordCases } from './records.ts'
import { refreshCases } from './refresh.ts'
import { verbCases } from './verbs.ts'

export interface StrategySuiteOptions {
  /** Where the cases go: a module such as `vitest` or `node:test`, or the parts of one. */
  readonly runner: Runner
  /** Name of the store, for the title. */
  readonly name: string
  /** Opens a store on data of its own, not connected yet. Called once. Give `another` where processes share the data. */
  open(): Promise<OpenedStore>
  /** Parts that the store has. Default: all five. `sessions` is needed; without `revocations` there is no `denylist`. */
  readonly parts?: readonly Part[]
  /** Cases that the store cannot pass, each with the reason. A title begins with the strategy: `opaque: …`. */
  readonly skip?: readonly Skip[]
}

const OPTIONS = new Set(['runner', 'name', 'open', 'parts', 'skip'])

const STRATEGIES: readonly (Traits & { readonly needs: readonly Part[] })[] = [
  { name: 'opaque', readsRecord: true, renews: false, atOnce: true, needs: ['sessions'] },
  { name: 'allowlist', readsRecord: true, renews: true, atOnce: true, needs: ['sessions'] },
  { name: 'denylist', readsRecord: false, renews: true, atOnce: true, needs: ['sessions', 'revocations'] },
  { name: 'stateless', readsRecord: false, renews: true, atOnce: false, needs: ['sessions'] },
]

/**
 * What every strategy promises on a store, through the public verbs: the four strategies, each with its own cases. Run it
 * beside `storeSuite`, which looks at each step; this one looks at what an application sees.
 *
 * Time is a clock of the suite's own, so the store must judge nothing by its own time. `watch` is waited for in real
 * time, a second or two per strategy.
 *
 * @throws CountersignError `ERR_CONFIG_INVALID` when an option is wrong, or a skip names a case that does not exist;
 * `ERR_CONFIG_UNSAFE` from every case where `NODE_ENV` is `production`.
 */
export function strategySuite(options: StrategySuiteOptions): void {
  refuseUnknown(options, OPTIONS, 'strategySuite')
  const { runner, name, open, skip = [] } = options
  const parts = checkParts(options.parts)
  if (!parts.has('sessions')) throw invalidOption('parts', 'must hold sessions')
  const tries = new Tries(() => open())
  const groups = STRATEGIES.flatMap((traits): Group[] => {
    const collect = (...files: readonly ((traits: Traits, test: Declare) => void)[]) => {
      const cases: Group['cases'][number][] = []
      for (const file of files) file(traits, (title, run) => void cases.push(tries.case(traits, title, run)))
      return cases
    }
    const missing = traits.needs.filter((part) => !parts.has(part))
    const lacks = missing.length > 0 && { notRun: `the store has no ${missing.join(' and no ')}` }
    const slides = !traits.renews && { notRun: `${traits.name} slides instead, there is no refresh token` }
    return [
      { title: traits.name, cases: collect(verbCases, lifetimeCases, recordCases), ...lacks },
      { title: `${traits.name}: refresh`, cases: collect(refreshCases), ...slides, ...lacks },
    ]
  })
  declareSuite(runner, `strategies on ${name}`, groups, skip, () => tries.end())
}
