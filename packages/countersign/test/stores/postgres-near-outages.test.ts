// The near cache on a Postgres that goes away: no copy outlives its lease, and none outlives the connection.
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { ownServer } from './postgres-kit.ts'
import { END, fill, login, open, STALE_MS, setUp, watchStale } from './postgres-near-kit.ts'

test('P1: after a restart nothing is served that was read before it, until it is read again', async () => {
  const own = await ownServer()
  const [here, there] = [open(own.url), open(own.url)]
  const [one, two] = [await login(there), await login(there, 'user:2')]
  await fill(here, one.token, two.token)
  const { kept } = here.health().nearCache
  await own.restart()
  await expect
    .poll(() => there.revoke(one.id, { reason: 'logout' }).then(({ durability }) => durability !== 'queued'), {
      timeout: 20_000,
    })
    .toBe(true)
  const revokedMs = performance.now()
  const watch = watchStale(here, one.token)
  await sleep(STALE_MS + 300)
  expect((await watch.end()).lastServedMs - revokedMs).toBeLessThanOrEqual(STALE_MS)
  await fill(here, two.token)
  expect(here.health().nearCache.drops.reset).toBeGreaterThanOrEqual(2)
  expect(here.health().nearCache.kept).toBeGreaterThan(kept)
})

test('P1: every connection is cut, again and again, and a revocation still acts within the bound', async () => {
  const own = await ownServer()
  const { here, there, raw, url } = await setUp(own)
  const database = new URL(url).pathname.slice(1)
  const { token, id } = await login(there)
  await fill(here, token)
  const watch = watchStale(here, token)
  // Past the store, whose connections are cut too.
  await raw.query(END(id))
  const revokedMs = performance.now()
  for (let n = 0; n < 12; n++) {
    await raw.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()',
      [database],
    )
    await sleep(100)
  }
  expect((await watch.end()).lastServedMs - revokedMs).toBeLessThanOrEqual(STALE_MS)
  const answer = () =>
    here.verify(token).then(
      ({ ok }) => ok,
      () => null,
    )
  await expect.poll(answer, { timeout: 20_000 }).toBe(false)
  expect(here.health().nearCache.drops.reset).toBeGreaterThan(0)
})

test('P1: nothing is served for longer than a second by a server that is silent', async () => {
  const own = await ownServer()
  const here = open(own.url)
  const { token } = await login(here)
  await fill(here, token)
  const watch = watchStale(here, token)
  await own.kill('SIGSTOP')
  onTestFinished(() => own.kill('SIGCONT'))
  const stoppedMs = performance.now()
  await sleep(STALE_MS + 500)
  expect((await watch.end()).lastServedMs - stoppedMs).toBeLessThanOrEqual(STALE_MS)
  expect(here.health().nearCache.isOn).toBe(false)
  await own.kill('SIGCONT')
  await fill(here, token)
})
