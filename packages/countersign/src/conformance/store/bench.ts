import type { Store } from '../../stores/contract.ts'
import type { Case } from '../runner.ts'

/** A part of a store, by its name in the contract. */
export type Part = keyof Store

/** What a suite is given to run against. */
export interface OpenedStore {
  /** All parts, or those that the option `parts` names. */
  readonly store: Partial<Store>
  /** Closes the store and opens it again on the same data. Absent where data does not outlive the store. */
  readonly reopen?: () => Promise<Partial<Store>>
  /** A second store on the same data, as another process would have it. Absent where only one process has the data. */
  readonly another?: () => Promise<Partial<Store>>
  /** Closes the store and removes its data. */
  dispose(): Promise<void>
}

/** What a file of cases is given. Parts that the store lacks are not looked at: no case that needs them is run. */
export interface Bench {
  /** One store for all cases, on which each uses subjects of its own. */
  readonly store: Store
  readonly parts: ReadonlySet<Part>
  /** How often a race is repeated. */
  readonly rounds: number
  test(title: string, run: () => Promise<void>): void
  /** A store of its own, for a case that closes it or looks at all of it. */
  open(): Promise<OwnStore>
}
export interface OwnStore extends OpenedStore {
  readonly store: Store
  readonly reopen?: () => Promise<Store>
}

/** Connects a store as the library does before the first call. */
export async function begin(store: Partial<Store>): Promise<void> {
  await store.lifecycle?.ready('fingerprint-a')
}

/** Collects what a file of cases declares. */
export function collect(bench: Omit<Bench, 'test'>, ...files: readonly ((bench: Bench) => void)[]): readonly Case[] {
  const cases: Case[] = []
  for (const file of files) file({ ...bench, test: (title, run) => void cases.push({ title, run }) })
  return cases
}

/** A store that is opened later, usable in the declaration of cases. */
export function laterStore(store: () => Partial<Store>): Store {
  const part = <K extends Part>(name: K): Store[K] =>
    new Proxy({} as Store[K] & object, {
      get(_, member) {
        const real = store()[name] as object
        const value: unknown = Reflect.get(real, member)
        return typeof value === 'function' ? value.bind(real) : value
      },
    })
  return {
    sessions: part('sessions'),
    revocations: part('revocations'),
    accounts: part('accounts'),
    once: part('once'),
    lifecycle: part('lifecycle'),
  }
}
