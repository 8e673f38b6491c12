// The one suite for all stores: what design.md §3 to §6 and the contract promise, at the level of the contract.
import type { Store } from 'countersign/stores/contract'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { differentialCases } from './differential.ts'
import { accountCases } from './suite/accounts.ts'
import { additionCases } from './suite/additions.ts'
import { changeCases } from './suite/change.ts'
import { createCases } from './suite/create.ts'
import { endCases } from './suite/end.ts'
import { generalCases } from './suite/general.ts'
import type { Bench, Opened } from './suite/kit.ts'
import { onceCases } from './suite/once.ts'
import { revocationCases } from './suite/revocations.ts'
import { rotateCases } from './suite/rotate.ts'

export interface SuiteOptions {
  /** A store on data of its own, or on data that other cases use too: every case uses subjects of its own. */
  open(): Promise<Opened>
  /** Cases that this store cannot pass, with the reason. */
  readonly skip?: readonly { readonly reason: string; readonly tests: readonly string[] }[]
}

export function storeSuite(name: string, { open, skip = [] }: SuiteOptions): void {
  describe(`${name} store`, () => {
    let opened: Opened | undefined
    beforeAll(async () => {
      opened = await open()
      await opened.store.lifecycle.ready('suite')
    })
    afterAll(() => opened?.dispose())

    const reasons = new Map(skip.flatMap(({ reason, tests }) => tests.map((test) => [test, reason] as const)))
    const names = new Set<string>()
    const bench: Bench = {
      store: later(() => opened!.store),
      open,
      test(title, run) {
        names.add(title)
        const reason = reasons.get(title)
        if (reason === undefined) test(title, run)
        else test.skip(`${title} [skipped: ${reason}]`, run)
      },
    }
    for (const cases of [
      createCases,
      changeCases,
      rotateCases,
      endCases,
      revocationCases,
      accountCases,
      onceCases,
      additionCases,
      generalCases,
    ]) {
      cases(bench)
    }
    differentialCases(bench)

    const stray = [...reasons.keys()].filter((title) => !names.has(title))
    if (stray.length > 0) throw new Error(`skipped cases that do not exist: ${stray.join(', ')}`)
  })
}

/** The store that `beforeAll` opens, usable in the declaration of cases. */
function later(store: () => Store): Store {
  const part = <K extends keyof Store>(name: K): Store[K] =>
    new Proxy({} as Store[K] & object, {
      get(_, member) {
        const value: unknown = Reflect.get(store()[name], member)
        return typeof value === 'function' ? value.bind(store()[name]) : value
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
