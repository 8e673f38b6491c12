import { ok, rejects } from 'node:assert/strict'
import { CountersignError } from '../../internal/errors.ts'
import { systemRuntime } from '../../internal/runtime.ts'
import type { Store } from '../../stores/contract.ts'
import { equals, matches } from '../checks.ts'
import type { Bench, Part } from './bench.ts'
import { createRule, endRule, hashOf, recordOf, refresh, sessionId, subjectRef, T } from './samples.ts'

/** The life of a store. */
export function lifecycleCases({ store, parts, test, open }: Bench): void {
  const { lifecycle } = store

  test('the time is about right, and never goes back', async () => {
    const first = lifecycle.nowMs()
    ok(Math.abs(first - systemRuntime.clock.nowMs()) < 60_000)
    ok(Number.isInteger(first))
    for (let i = 0, last = first; i < 1_000; i++) {
      const next = lifecycle.nowMs()
      ok(next >= last)
      last = next
    }
  })

  test('ready: the store belongs to one placement key', async () => {
    const own = await open()
    try {
      await own.store.lifecycle.ready('fingerprint-a')
      await own.store.lifecycle.ready('fingerprint-a')
      ok(own.store.lifecycle.health().up)
      await rejects(own.store.lifecycle.ready('fingerprint-b'), {
        code: 'ERR_STORE_MISCONFIGURED',
      })
      if (own.reopen) {
        const again = await own.reopen()
        await rejects(again.lifecycle.ready('fingerprint-b'), { code: 'ERR_STORE_MISCONFIGURED' })
        await again.lifecycle.ready('fingerprint-a')
      }
    } finally {
      await own.dispose()
    }
  })

  test('close: may be called twice, and every call after it is refused', async () => {
    const own = await open()
    try {
      const { sessions, lifecycle } = own.store
      await lifecycle.ready('fingerprint-a')
      const underWay = parts.has('sessions') ? sessions.create(recordOf(subjectRef()), createRule, T) : undefined
      await Promise.all([lifecycle.close(), lifecycle.close()])
      await lifecycle.close()
      if (underWay) matches(await underWay, { is: 'created' })
      equals(lifecycle.health().up, false)
      for (const part of parts) {
        for (const call of callsOf(own.store, part)) {
          const error = await call().then(
            () => undefined,
            (thrown: unknown) => thrown,
          )
          ok(error instanceof CountersignError, `after close, a call of ${part} threw ${String(error)}`)
          equals(error.code, 'ERR_CLOSED')
        }
      }
    } finally {
      await own.dispose()
    }
  })
}

function callsOf(store: Store, part: Part): readonly (() => Promise<unknown>)[] {
  const { sessions, revocations, accounts, once, lifecycle } = store
  const ref = subjectRef()
  const id = sessionId(ref)
  switch (part) {
    case 'sessions':
      return [
        () => sessions.create(recordOf(ref), createRule, T),
        () => sessions.read(id),
        () => sessions.update(id, { data: '1' }, 1, T),
        () => sessions.touch(id, { idleAtMs: T }, T),
        () => refresh(store, id, 0, T),
        () => sessions.end(id, 'logout', endRule, T),
        () => sessions.endSubject(ref, 'logout', {}, T),
        () => sessions.setRoles(ref, [], T),
        () => sessions.subject(ref, T),
        () => sessions.list(ref, null, { limit: 1, floorMs: 0 }, T),
        () => sessions.floor(),
        () => sessions.raiseFloor('admin', T),
      ]
    case 'revocations':
      return [() => revocations.read(ref.tag), () => revocations.deny(ref, 'j', T, T)]
    case 'accounts':
      return [() => accounts.bySubject(ref), () => accounts.subjectOf({ identifier: 'a' })]
    case 'once':
      return [
        () => once.put(hashOf('p'), { hash: hashOf('h'), bytes: new Uint8Array() }, T),
        () => once.look(hashOf('p'), hashOf('h'), T),
        () => once.take(hashOf('p'), hashOf('h'), T),
        () => once.claim('s', 'i', T, T),
      ]
    case 'lifecycle':
      return [() => lifecycle.ready('fingerprint-a')]
  }
}
