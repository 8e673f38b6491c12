// How long after its acknowledgement a revocation is known everywhere. The processes look for themselves; for comparison some
// are asked over HTTP. The load comes from wrk, which waits between two requests of a connection, the revocations from here.
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createSessions, generateKeyring } from 'countersign'
import { redisStore } from 'countersign/stores/redis'
import { move, on } from '../harness/cores.ts'
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
const SECONDS_EACH = 0.15
/** Between two revocations: asking the processes is load as well, and part of their share. */
const PAUSE_MS = 50
/** One in so many is asked for over HTTP as well. */
const HTTP_EVERY = 2
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
    const count = revocations(bench.quick)
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
    const told = { redis, sessions: 0, tuned: false, variant: '', keyring: file, prefix }
    const servers = await Promise.all(
      Array.from({ length: PROCESSES }, () => startServer('sides/propagation.ts', told, { part: 'any' })),
    )
    const headers = join(folder, 'propagation-headers')
    const tokens = await issueAll(sessions, SESSIONS)
    writeFileSync(headers, tokens.map((token) => `authorization: Bearer ${token}\n`).join(''), { mode: 0o600 })

    // On the core of Redis, who is told first of the revocation would keep Redis from telling the others.
    const apart = async (how: string) => {
      move(process.pid, 'server')
      try {
        return await revokeMany(bench, group, sessions, servers, how)
      } finally {
        move(process.pid, 'load')
      }
    }
    const idle = await apart('idle')
    const load = await startLoad(servers, headers)
    const busy = await apart('under load')
    const share = load.share()
    load.stop()
    await Promise.all(servers.map((server) => server.stop()))
    forget()
    await sessions.close()
    if (share > MOST_LOAD * 1.1)
      throw new Error(`the load was ${(100 * share).toFixed(0)} % of what the processes can do`)

    const note = `${count} revocations; ${PROCESSES} processes, together ${(100 * share).toFixed(0)} % of a core`
    const overHttp = `${busy.answered.length} revocations, as before`
    const found: Readonly<Record<string, readonly [number, string]>> = {
      'propagation-p99-ms': [quantile(busy.refused, 0.99), note],
      'propagation-p99-ms-idle': [quantile(idle.refused, 0.99), `${count} revocations`],
      'propagation-p50-ms': [median(busy.refused), note],
      'propagation-http-p99-ms': [quantile(busy.answered, 0.99), overHttp],
      'propagation-http-p99-ms-again': [quantile(busy.again, 0.99), overHttp],
    }
    for (const row of group.rows) yield absolute(row, found[row.id]![0], count, found[row.id]![1])
  },
}

/** What is needed of the sessions here. */
interface Revokes {
  issue(o: object): Promise<{ ok: true; accessToken: string; session: { sessionId: string } } | { ok: false }>
  revoke(id: never, o: { reason: 'logout' }): Promise<{ ended: number }>
}

/** In milliseconds, from each acknowledgement, to the last of the processes that refuses. */
interface Propagation {
  /** As they see it themselves. */
  readonly refused: readonly number[]
  /** Until all have answered so over HTTP, and the same once more. */
  readonly answered: readonly number[]
  readonly again: readonly number[]
}

async function revokeMany(
  bench: Bench,
  group: Group,
  sessions: unknown,
  servers: readonly Server[],
  how: string,
): Promise<Propagation> {
  const { issue, revoke } = sessions as Revokes
  const agent = new Agent({ keepAlive: true })
  const askAll = (path: string, token: string) =>
    Promise.all(servers.map(({ url }) => ask(`${url}${path}`, token, agent)))
  const issued = async (n: number) => {
    const issued = await issue({ subject: subjectOf(n), roles: ROLES, data: DATA })
    if (!issued.ok) throw new Error('refused')
    // Twice, so that the second answer comes from the near cache.
    for (let use = 0; use < 2; use++) {
      for (const { status } of await askAll('/', issued.accessToken))
        if (status !== 200) throw new Error(`a session was answered with ${status}`)
    }
    return issued
  }
  const revoked = async ({ session }: { session: { sessionId: string } }) => {
    const { ended } = await revoke(session.sessionId as never, { reason: 'logout' })
    if (ended !== 1) throw new Error('nothing was revoked')
    return process.hrtime.bigint()
  }
  const since = (start: bigint, end = process.hrtime.bigint()) => Number(end - start) / 1e6

  const [refused, answered, again]: number[][] = [[], [], []]
  for (let n = 0; n < revocations(bench.quick); n++) {
    const watched = await issued(n)
    await askAll('/watch', watched.accessToken)
    await sleep(PAUSE_MS)
    const start = await revoked(watched)
    // Asked any sooner, they would have that to do as well.
    await sleep(PAUSE_MS)
    const told = await askAll('/watched', watched.accessToken)
    refused!.push(Math.max(...told.map(({ body }) => since(start, BigInt(body)))))

    if (n % HTTP_EVERY === 0) {
      const { accessToken, ...rest } = await issued(n)
      const until401 = async (start: bigint) => {
        await Promise.all(
          servers.map(async ({ url }) => {
            while ((await ask(url, accessToken, agent)).status !== 401);
          }),
        )
        return since(start)
      }
      await sleep(PAUSE_MS)
      answered!.push(await until401(await revoked(rest)))
      await sleep(PAUSE_MS)
      again!.push(await until401(process.hrtime.bigint()))
    }
    if (n % 20 === 19) {
      bench.progress.show(group.id, `${n + 1} of ${revocations(bench.quick)} revocations, ${how}`)
      bench.progress.done(20 * SECONDS_EACH)
    }
  }
  agent.destroy()
  return { refused: refused!, answered: answered!, again: again! }
}

/** One request. `node:http`, whose answer is there sooner than that of `fetch`. */
function ask(url: string, token: string, agent: Agent): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent, headers: { authorization: `Bearer ${token}` } }, (answer) => {
      let body = ''
      answer.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      answer.once('end', () => resolve({ status: answer.statusCode!, body }))
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
