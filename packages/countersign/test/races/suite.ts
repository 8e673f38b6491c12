import { generateKeyring, type SessionId } from 'countersign'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { count } from '../../../../tools/test-support/counts.ts'
import { type Fleet, startFleet } from './fleet.ts'
import { GRACE_S, openSessions, type WorkerSetup } from './worker.ts'

const WORKERS = 4
const PASSWORD = 'violet harbour teapot 91'

/**
 * Races between at least four processes on one store, as the issue "A session that works" demands them.
 *
 * @param isShort - Fewer sessions, for a store that differs from another one only in where its keys are.
 */
export function raceSuite(
  name: string,
  open: () => Promise<{ store: WorkerSetup['store']; stop(): Promise<void> }>,
  isShort = false,
): void {
  describe(`${WORKERS} processes on ${name}`, () => {
    let server: Awaited<ReturnType<typeof open>>
    let fleet: Fleet
    let here: Awaited<ReturnType<typeof openSessions>>
    beforeAll(async () => {
      server = await open()
      const setup = { store: server.store, keyring: generateKeyring(), perSubject: 5 }
      here = await openSessions(setup)
      fleet = await startFleet(WORKERS, setup)
    }, 180_000)
    afterAll(async () => {
      await fleet?.stop()
      await here?.sessions.close()
      await server?.stop()
    })

    const login = async (subject: string) => {
      const issued = await here.sessions.issue({ subject, data: { items: [] } })
      if (!issued.ok) throw new Error(issued.reason)
      return issued
    }
    const live = async (subject: string) => {
      const ids: SessionId[] = []
      for await (const session of here.sessions.list(subject)) ids.push(session.sessionId)
      return ids
    }

    test('16 refreshes at once: one successor for all of them, and it works', async () => {
      const total = isShort ? count(60, 300) : 300
      const issued = await Promise.all(Array.from({ length: total }, (_, n) => login(`refresh-${n}`)))
      await new Promise((resolve) => setTimeout(resolve, GRACE_S * 1_000 + 100))
      const tokens = issued.map((one) => one.refreshToken)
      const answers: string[][] = []
      // Of each token 16 at once; of all 300 it would be a flood, which is another matter.
      for (let start = 0; start < total; start += 30) {
        const some = { tokens: tokens.slice(start, start + 30), times: 16 / WORKERS }
        const told = await fleet.all<string[][]>('refresh', () => some)
        answers.push(...some.tokens.map((_, n) => told.flatMap((perWorker) => perWorker[n]!)))
      }
      const successors = answers.map((told) => new Set(told))
      expect(answers.flat()).toHaveLength(16 * total)
      expect(successors.filter((set) => set.size !== 1)).toEqual([])
      expect(
        successors.filter((set, n) => !set.values().next().value!.startsWith('csr_') || set.has(tokens[n]!)),
      ).toEqual([])
      for (const [successor] of successors) {
        const next = await here.sessions.refresh(successor!)
        if (!next.ok) throw new Error(next.reason)
        expect((await here.sessions.verify(next.accessToken)).ok).toBe(true)
      }
    })

    test('64 writers on one cart lose no acknowledged write', async () => {
      const { session } = await login('cart')
      const items = (worker: number) => Array.from({ length: 64 / WORKERS }, (_, n) => `${worker}-${n}`)
      const acknowledged = (
        await fleet.all<string[]>('add', (worker) => ({ id: session.sessionId, items: items(worker) }))
      ).flat()
      expect(acknowledged).toHaveLength(64)
      const now = await here.sessions.get(session.sessionId)
      if (!now.ok) throw new Error(now.reason)
      expect([...now.session.data.items].sort()).toEqual([...acknowledged].sort())
    })

    test('20 logins at once never exceed the limit', async () => {
      for (let round = 0; round < count(5, 50); round++) {
        const subject = `limit-${round}`
        const answers = await fleet.all<string[]>('issue', () => ({ subject, times: 20 / WORKERS }))
        expect(answers.flat()).toHaveLength(20)
        expect(await live(subject)).toHaveLength(5)
      }
    })

    test.each(['revokeAll', 'ban'] as const)('use and late logins against %s leave no live session', async (verb) => {
      let used = 0
      for (let round = 0; round < count(5, 50); round++) {
        const subject = `${verb}-${round}`
        const issued = [await login(subject), await login(subject)]
        const ifEpoch = await here.sessions.epoch(subject)
        const ms = 250
        const using = fleet.all<Record<string, number>>('use', () => ({
          subject,
          ids: issued.map((one) => one.session.sessionId),
          tokens: issued.map((one) => one.refreshToken),
          ifEpoch,
          ms,
        }))
        await new Promise((resolve) => setTimeout(resolve, 60 + ms * 0.4 + ((round * 37) % 60)))
        await here.sessions.revokeAll(subject, verb === 'ban' ? { reason: 'banned', block: true } : { reason: 'admin' })
        const counts = await using
        used += counts.reduce((sum, one) => sum + one.update! + one.issue! + one.refresh!, 0)
        expect(await live(subject)).toEqual([])
        for (const one of issued) expect(await here.sessions.verify(one.accessToken)).toMatchObject({ ok: false })
      }
      // The sessions were in use when they ended, or the race would prove nothing.
      expect(used).toBeGreaterThan(0)
    })

    // Fifty slow hashes on whatever the machine has left.
    test.each(['revokeAll', 'ban', 'password'] as const)(
      '50 logins held in the hash while %s commits: no session',
      async (verb) => {
        const identifier = `${verb}@example.test`
        const registered = await here.accounts.register({ identifier, password: PASSWORD })
        if (!registered.ok) throw new Error(registered.reason)
        const { subject } = registered.account
        const before = (await fleet.ask<number>('inHash')).reduce((sum, n) => sum + n, 0)
        const shares = [13, 13, 12, 12]
        const logins = fleet.all<string[]>('login', (worker) => ({
          identifier,
          password: PASSWORD,
          times: shares[worker],
        }))
        for (let held = 0; held < 50; ) {
          await new Promise((resolve) => setTimeout(resolve, 5))
          held = (await fleet.ask<number>('inHash')).reduce((sum, n) => sum + n, 0) - before
        }
        if (verb === 'revokeAll') await here.sessions.revokeAll(subject, { reason: 'admin' })
        if (verb === 'ban') await here.accounts.ban(subject)
        if (verb === 'password') {
          const next = 'seven brass lanterns in a row'
          expect(await here.accounts.changePassword({ subject, current: PASSWORD, next })).toMatchObject({ ok: true })
        }
        const answers = (await logins).flat()
        expect(answers).toHaveLength(50)
        // Those whose hash was done before the commit may have got in, and then have been ended by it.
        expect(await live(subject)).toEqual([])
        expect(answers.filter((answer) => answer !== 'ok').length).toBeGreaterThan(25)
      },
      240_000,
    )
  })
}
