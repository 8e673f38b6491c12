// How long after its acknowledgement a revocation is known everywhere. The load comes from wrk, which waits between two
// requests of a connection; the revocations and the questions come from this process.
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createSessions, generateKeyring } from 'countersign'
import { redisStore } from 'countersign/stores/redis'
import { on } from '../harness/cores.ts'
import { atEnd } from '../harness/ending.ts'
import { folder, type Server, startServer } from '../harness/processes.ts'
import { absolute } from '../harness/result.ts'
import type { Bench, Measure } from '../harness/rounds.ts'
import { median, quantile } from '../harness/stats.ts'
import type { Group } from '../rows.ts'
import { DATA, ROLES, SESSIONS, subjectOf } from '../sides/content.ts'
import { ALLOWLIST, issueAll, keyring, NO_NEAR_CACHE, SESSIONS_OPTIONS } from '../sides/sessions.ts'

const PROCESSES = 4
const revocations = (quick: boolean) => (quick ? 300 : 1_000)
const SECONDS_EACH = 0.115
/** Between two revocations: asking the processes is load as well, and part of their share. */
const PAUSE_MS = 100
/** What share of the core all four may use together, and what the load is set to first. */
const MOST_LOAD = 0.2
/** Of that, the part of the load; the rest is for asking. */
const LOAD_PART = 0.5
const LUA = fileURLToPath(new URL('../harness/paced.lua', import.meta.url))
const CONNECTIONS = 8

export const propagation: Measure = {
  plannedSeconds: ({ quick }) => 15 + 2 * revocations(quick) * SECONDS_EACH,
  async *run(bench, group) {
    const { url: redis } = await bench.redis()
    const file = generateKeyring({ signing: ['HS256'] })
    const prefix = `propagation-${process.pid}`
    const store = redisStore({ url: redis, prefix })
    const sessions = createSessions({
      ...SESSIONS_OPTIONS,
      strategy: ALLOWLIST,
      keyring: await keyring(file),
      store,
      ...NO_NEAR_CACHE,
    })
    const forget = atEnd(() => sessions.close())
    const told = { redis, sessions: 0, tuned: false, variant: 'allowlist-cached', keyring: file, prefix }
    const servers = await Promise.all(
      Array.from({ length: PROCESSES }, () => startServer('sides/countersign.ts', told)),
    )
    const headers = join(folder, 'propagation-headers')
    const tokens = await issueAll(sessions, SESSIONS)
    writeFileSync(headers, tokens.map((token) => `authorization: Bearer ${token}\n`).join(''), { mode: 0o600 })

    const idle = await revokeMany(bench, group, sessions, servers, 'idle')
    const load = await startLoad(servers, headers)
    const busy = await revokeMany(bench, group, sessions, servers, 'under load')
    const share = load.share()
    load.stop()
    await Promise.all(servers.map((server) => server.stop()))
    forget()
    await sessions.close()
    if (share > MOST_LOAD * 1.1)
      throw new Error(`the load was ${(100 * share).toFixed(0)} % of what the processes can do`)

    const asking = (asked: readonly number[]) =>
      `of it HTTP and this machine: to ask all once more, which they refuse already, takes ${quantile(asked, 0.99).toFixed(1)} ms at p99`
    const note = `${busy.revoked.length} revocations; ${PROCESSES} processes on one core, which they used to ${(100 * share).toFixed(0)} %; ${asking(busy.asked)}`
    const idleNote = `${idle.revoked.length} revocations; ${asking(idle.asked)}`
    const found: Readonly<Record<string, readonly [number, string]>> = {
      'propagation-p99-ms': [quantile(busy.revoked, 0.99), note],
      'propagation-p50-ms': [median(busy.revoked), note],
      'propagation-p99-ms-idle': [quantile(idle.revoked, 0.99), idleNote],
    }
    for (const row of group.rows) yield absolute(row, found[row.id]![0], busy.revoked.length, found[row.id]![1])
  },
}

/** What is needed of the sessions here. */
interface Revokes {
  issue(o: object): Promise<{ ok: true; accessToken: string; session: { sessionId: string } } | { ok: false }>
  revoke(id: never, o: { reason: 'logout' }): Promise<{ ended: number }>
}

/** In milliseconds: from each acknowledgement to the last of the first refusals, and what it takes to ask once more. */
async function revokeMany(bench: Bench, group: Group, sessions: unknown, servers: readonly Server[], how: string) {
  const { issue, revoke } = sessions as Revokes
  const agent = new Agent({ keepAlive: true })
  const count = revocations(bench.quick)
  const revoked: number[] = []
  const asked: number[] = []
  while (revoked.length < count) {
    const issued = await issue({ subject: subjectOf(revoked.length), roles: ROLES, data: DATA })
    if (!issued.ok) throw new Error('refused')
    // Twice, so that the second answer comes from the near cache.
    for (let use = 0; use < 2; use++) {
      for (const server of servers) {
        const status = await ask(server, issued.accessToken, agent)
        if (status !== 200) throw new Error(`a session was answered with ${status}`)
      }
    }
    /** Until the last of them refuses. */
    const untilRefused = async () => {
      const startedMs = performance.now()
      const refused = servers.map(async (server) => {
        while ((await ask(server, issued.accessToken, agent)) !== 401);
        return performance.now() - startedMs
      })
      return Math.max(...(await Promise.all(refused)))
    }
    const { ended } = await revoke(issued.session.sessionId as never, { reason: 'logout' })
    if (ended !== 1) throw new Error('nothing was revoked')
    revoked.push(await untilRefused())
    await sleep(PAUSE_MS / 2)
    asked.push(await untilRefused())
    await sleep(PAUSE_MS / 2)
    if (revoked.length % 20 === 0) {
      bench.progress.show(group.id, `${revoked.length} of ${count} revocations, ${how}`)
      bench.progress.done(20 * SECONDS_EACH)
    }
  }
  agent.destroy()
  return { revoked, asked }
}

/** The status of one request. `node:http`, whose answer is there sooner than that of `fetch`. */
function ask({ url }: Server, token: string, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent, headers: { authorization: `Bearer ${token}` } }, (answer) => {
      answer.resume().once('end', () => resolve(answer.statusCode!))
    })
    request.once('error', reject)
  })
}

/** As many requests as the processes can answer with a fifth of their core, found by trying. */
async function startLoad(servers: readonly Server[], headers: string) {
  const cpu = () => servers.reduce((sum, server) => sum + server.cpuSeconds(), 0)
  const shareOver = (seconds: number, before: number) => (cpu() - before) / seconds
  let pauseMs = 40
  for (;;) {
    const load = run(servers, headers, pauseMs)
    await sleep(500)
    const before = cpu()
    await sleep(2_000)
    const share = shareOver(2, before)
    if (share <= MOST_LOAD * LOAD_PART) {
      const [startedMs, start] = [performance.now(), cpu()]
      return { stop: load, share: () => shareOver((performance.now() - startedMs) / 1_000, start) }
    }
    load()
    pauseMs = Math.ceil(pauseMs * Math.max(1.1, share / (MOST_LOAD * LOAD_PART * 0.95)))
  }
}

function run(servers: readonly Server[], headers: string, pauseMs: number): () => void {
  const children = servers.map(({ url }) => {
    const flags = ['--threads', '1', '--connections', String(CONNECTIONS), '--duration', '3600s', '--script', LUA]
    const [program, args] = on('load', 'wrk', [...flags, url, '--', headers, '1', String(pauseMs)])
    return spawn(program, args, { stdio: 'ignore' })
  })
  const stop = () => {
    forget()
    for (const child of children) child.kill('SIGKILL')
  }
  const forget = atEnd(stop)
  return stop
}
