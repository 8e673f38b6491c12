import { equals, matches } from '../checks.ts'
import type { Bench } from './bench.ts'
import { created, endRule, live, subjectRef, T } from './samples.ts'

/** What a store still has after it was closed and opened again. */
export function reopenCases({ test, open }: Bench): void {
  test('reopening finds everything', async () => {
    const own = await open()
    try {
      if (!own.reopen) throw new Error('this store is not opened again: say so in `skip`')
      await own.store.lifecycle.ready('fingerprint-a')
      const ref = subjectRef()
      const record = await created(own.store, ref)
      await own.store.sessions.setRoles(ref, ['user', 'x'], T + 1)
      const gone = await created(own.store, ref)
      await own.store.sessions.end(gone.id, 'logout', endRule, T + 2)
      const before = [await own.store.sessions.subject(ref, T), await own.store.sessions.floor()]
      const again = await own.reopen()
      await again.lifecycle.ready('fingerprint-a')
      matches(await live(again, record.id), { pendingRoles: ['user', 'x'] })
      matches(await again.sessions.read(gone.id), { is: 'ended', tombstone: { why: 'logout' } })
      equals([await again.sessions.subject(ref, T), await again.sessions.floor()], before)
    } finally {
      await own.dispose()
    }
  })
}
