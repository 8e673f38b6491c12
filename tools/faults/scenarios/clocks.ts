import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { generateKeyring, loadKeyring } from 'countersign'
import { redisStore } from 'countersign/stores/redis'
import { startRedis } from '../../test-support/redis-server.ts'
import { openSessions } from '../clients.ts'
import { type Context, demand, type Row, scenario, tests } from '../scenario.ts'
import { startWorker } from '../worker.ts'

const HOUR_MS = 3_600_000
const LIFE_MS = 6_000
const MOST_OFF_MS = 1_000

/**
 * Only the wall clock is faked, as when somebody sets it: Node's timers and `performance.now()` go by the monotonic one,
 * which nobody can set.
 */
function fakedWall(file: string): NodeJS.ProcessEnv {
  // The wrapper knows where its library is, on every architecture.
  const preload = execFileSync('faketime', ['-f', '+0', 'printenv', 'LD_PRELOAD'], { encoding: 'utf8' }).trim()
  return {
    LD_PRELOAD: preload,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  }
}

/** N6. A process whose clock is an hour off, or set while it runs, judges a session by the server's time. */
async function wrongClock({ cleanUp }: Context): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-faults-'))
  cleanUp(() => rmSync(folder, { recursive: true, force: true }))
  const redis = await startRedis()
  cleanUp(() => redis.stop())
  const content = generateKeyring({ signing: ['HS256'] })
  const absolute = `${LIFE_MS / 1_000}s` as const
  const sessions = openSessions({
    store: redisStore({ url: redis.url }),
    keyring: await loadKeyring(content),
    absolute,
  })
  cleanUp(() => sessions.close())

  const cases: readonly (readonly [name: string, before: string, meanwhile?: string])[] = [
    ['an hour ahead', '+1h'],
    ['an hour behind', '-1h'],
    ['set forward', '+0', '+1h'],
    ['set back', '+0', '-1h'],
  ]
  const off = await Promise.all(
    cases.map(async ([name, before, meanwhile], n) => {
      const file = join(folder, String(n))
      writeFileSync(file, before)
      const worker = await startWorker({ url: redis.url, keyring: content, absolute }, fakedWall(file))
      cleanUp(() => worker.process.kill('SIGKILL'))
      const { nowMs } = await worker.ask('now')
      const wantedMs = { '+1h': HOUR_MS, '-1h': -HOUR_MS }[before] ?? 0
      demand(Math.abs(nowMs! - Date.now() - wantedMs) < 60_000, `the clock of the process is not ${name}`)

      const askedMs = performance.now()
      const issued = await sessions.issue({ subject: name, data: { operations: [] } })
      const bornMs = performance.now()
      demand(issued.ok, 'no session')
      let lastGoodMs = bornMs
      let firstBadMs: number | undefined
      for (let turn = 0; firstBadMs === undefined; turn++) {
        if (turn === 20 && meanwhile !== undefined) writeFileSync(file, meanwhile)
        const atMs = performance.now()
        const { ok, reason } = await worker.ask('verify', issued.accessToken)
        const answeredMs = performance.now()
        if (ok) lastGoodMs = atMs
        else {
          demand(String(reason).startsWith('expired'), `${name}: refused with ${reason}`)
          firstBadMs = answeredMs
        }
        demand(atMs - bornMs < 3 * LIFE_MS, `${name}: still good after ${(atMs - bornMs).toFixed(0)} ms`)
        await sleep(20)
      }
      const early = LIFE_MS - (firstBadMs - askedMs)
      const late = lastGoodMs - bornMs - LIFE_MS
      demand(early <= MOST_OFF_MS, `${name}: logged out ${early.toFixed(0)} ms too early`)
      demand(late <= MOST_OFF_MS, `${name}: good ${late.toFixed(0)} ms for too long`)
      worker.process.kill('SIGKILL')
      return Math.max(early, late)
    }),
  )
  const most = Math.max(0, ...off)
  return `${cases.length} clocks an hour off, or set by an hour: at most ${most.toFixed(0)} ms early or late`
}

export const clocks: readonly Row[] = [
  {
    id: 'N6',
    fault: 'the clock of a process is an hour off, or is set while it runs',
    passes: 'no logout more than 1 s early, none more than 1 s late',
    proofs: [
      scenario('a wrong wall clock (libfaketime)', wrongClock),
      tests(
        'packages/countersign/test/stores/redis-parts.test.ts',
        'never goes back, keeps the better of two answers, and believes a contradiction',
      ),
    ],
  },
]
