// Several processes on one file, with the real locks of SQLite.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { samples } from 'countersign/conformance'
import { sqliteStore } from 'countersign/stores/sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { freshFile, query, startChild } from './support.ts'

const { created, endedBy, endRule, live, subjectRef, T } = samples

test('Q1: while another process holds the write lock for 10 s, calls time out and requests go on', async () => {
  const file = freshFile()
  const store = sqliteStore({ file })
  onTestFinished(() => store.lifecycle.close())
  const ref = subjectRef()
  const { id } = await created(store, ref)

  const holder = startChild('hold', file, '10000')
  await holder.said(1)
  const loop = monitorEventLoopDelay({ resolution: 5 })
  loop.enable()
  const startedMs = performance.now()
  const calls = [
    store.sessions.end(id, 'logout', endRule, T),
    store.sessions.touch(id, { idleAtMs: T + 1 }, T),
    store.accounts.replace({ ...ref } as Parameters<typeof store.accounts.replace>[0], 1),
    ...Array.from({ length: 30 }, () => store.sessions.update(id, { data: '1' }, 1, T)),
  ]
  const outcomes = Promise.allSettled(calls)
  // Readers do not wait for writers.
  expect(await live(store, id)).toMatchObject({ version: 1 })
  expect(holder.lines).toEqual(['held'])

  for (const outcome of await outcomes) {
    expect(outcome).toMatchObject({
      status: 'rejected',
      reason: { code: 'ERR_STORE_TIMEOUT', retryable: true, store: 'sqlite' },
    })
  }
  // After their deadline of 2 s, and not when the lock was let go.
  expect(performance.now() - startedMs).toBeGreaterThan(1_900)
  expect(holder.lines).toEqual(['held'])
  expect(store.lifecycle.health().up).toBe(false)

  // A call that still waits when the lock is let go gets its turn.
  const patient = sqliteStore({ file, busyDeadline: '20s' })
  onTestFinished(() => patient.lifecycle.close())
  await patient.sessions.end(id, 'logout', endRule, T)
  expect(performance.now() - startedMs).toBeGreaterThan(9_000)
  loop.disable()
  await holder.said(3)
  const [, released, idleMs] = holder.lines
  expect(released).toBe('released')
  // On a busy machine every process is late; the one that holds the lock has nothing else to do, and says how late.
  expect(loop.percentile(99) / 1e6).toBeLessThanOrEqual(100 + 2 * Number(idleMs))

  // Nothing of the calls that timed out was done.
  expect(await query(file, 'SELECT count(*) AS n FROM sessions')).toEqual([{ n: 1 }])
  expect(await endedBy(store, id)).toBe('logout')
  await store.sessions.endSubject(ref, 'admin', {}, T)
  expect(store.lifecycle.health().up).toBe(true)
})

test('four processes change one session: no acknowledged change is lost, nobody starves', async () => {
  const file = freshFile()
  const store = sqliteStore({ file })
  onTestFinished(() => store.lifecycle.close())
  const { id } = await created(store, subjectRef(), { data: '0' })
  const children = Array.from({ length: 4 }, () => startChild('count', file, id, '50'))
  await Promise.all(children.map((child) => child.said(1)))
  for (const child of children) child.process.stdin!.write('go\n')
  for (const child of children) expect(await child.ended).toEqual({ code: 0, signal: null })
  expect(await live(store, id)).toMatchObject({ data: '200', version: 201 })
})

test('four processes that start together on a file that is not there agree on one store', async () => {
  const file = freshFile()
  const children = Array.from({ length: 4 }, () => startChild('start', file))
  for (const child of children) expect(await child.ended).toEqual({ code: 0, signal: null })
  expect(new Set(children.flatMap((child) => child.lines)).size).toBe(1)
  expect(await query(file, 'SELECT count(*) AS n FROM migrations')).toEqual([{ n: 2 }])
})
