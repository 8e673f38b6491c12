// A refresh that this process held for longer than the grace, with another tab that goes on meanwhile.
import { allowlist, createSessions, generateKeyring, type Keyring, loadKeyring } from 'countersign'
import type { Store } from 'countersign/stores/contract'
import { memoryStore } from 'countersign/stores/memory'
import { type TestClock, testClock } from 'countersign/testing'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'

const JWT = { issuer: 'https://a.test', audience: 'https://b.test' } as const
let keyring: Keyring
beforeAll(async () => {
  keyring = await loadKeyring(generateKeyring())
})
let clock: TestClock
beforeEach(() => {
  clock = testClock()
})

/** Two processes on one store; while `held` is set, the floor comes to the first only after that. */
async function twoProcesses(strategy = allowlist({ ...JWT, grace: '3s' })) {
  const store = memoryStore()
  const pause: { held: (() => Promise<void>) | undefined; rotations: number; aheadMs: number } = {
    held: undefined,
    rotations: 0,
    aheadMs: 0,
  }
  const sessions = new Proxy(store.sessions, {
    get(target, name) {
      const method = Reflect.get(target, name)
      if (typeof method !== 'function') return method
      return async (...args: unknown[]) => {
        const answer = await (method as (...args: unknown[]) => unknown).apply(target, args)
        if (name === 'rotate') pause.rotations++
        if (name === 'floor') await pause.held?.()
        return answer
      }
    },
  })
  const open = (on: Store, runtime = clock.runtime) =>
    createSessions({
      strategy,
      keyring,
      store: clock.on(on),
      runtime,
      timeouts: { absolute: '1d' },
      nearCache: false,
    })
  const ofSlow = { ...clock.runtime.clock, nowMs: () => clock.runtime.clock.nowMs() + pause.aheadMs }
  const slow = open({ ...store, sessions }, { ...clock.runtime, clock: ofSlow })
  const other = open(store)
  const issued = await other.issue({ subject: 'u' })
  if (!issued.ok || issued.refreshToken === undefined) throw new Error('refused')
  await slow.verify(issued.accessToken)
  // Whoever comes now gets a successor, and has to ask for the floor.
  clock.advance('5s')
  return { slow, other, issued, pause, token: issued.refreshToken }
}

describe('held for longer than the grace', () => {
  test('it is a fault and no theft: nothing is sent, and the session lives on', async () => {
    const { slow, other, issued, pause, token } = await twoProcesses()
    pause.held = async () => {
      pause.held = undefined
      const next = await other.refresh(token)
      if (!next.ok || next.refreshToken === undefined) throw new Error('refused')
      // The successor is used.
      expect((await other.verify(next.accessToken)).ok).toBe(true)
      clock.advance('4s')
    }
    await expect(slow.refresh(token)).rejects.toMatchObject({ code: 'ERR_STORE_TIMEOUT', retryable: true })
    expect(pause.rotations).toBe(0)
    expect((await other.get(issued.session.sessionId)).ok).toBe(true)
  })

  test('also when only the wall clock saw it, as in a suspended process', async () => {
    const { slow, pause, token } = await twoProcesses()
    pause.held = async () => {
      pause.held = undefined
      pause.aheadMs = 4_000
    }
    await expect(slow.refresh(token)).rejects.toMatchObject({ code: 'ERR_STORE_TIMEOUT', retryable: true })
    expect(pause.rotations).toBe(0)
  })

  test.each([
    ['3s', '3s', 'within the grace'],
    ['0.001s', '1s', 'for a grace that is shorter than a first connection may take'],
  ] as const)('with a grace of %s it goes on after %s: %s', async (grace, held, _why) => {
    const { slow, pause, token } = await twoProcesses(allowlist({ ...JWT, grace }))
    pause.held = async () => {
      pause.held = undefined
      clock.advance(held)
    }
    expect((await slow.refresh(token)).ok).toBe(true)
    expect(pause.rotations).toBe(1)
  })

  test('without a grace nobody waits for one', async () => {
    const { slow, pause, token } = await twoProcesses(allowlist({ ...JWT, reuse: 'strict' }))
    pause.held = async () => {
      pause.held = undefined
      clock.advance('4s')
    }
    expect((await slow.refresh(token)).ok).toBe(true)
  })
})
