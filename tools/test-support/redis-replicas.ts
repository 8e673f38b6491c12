// A primary and its replicas, each reached over a proxy that can be cut, and one address that follows the primary.
import { setTimeout as sleep } from 'node:timers/promises'
import { type RedisOptions, type RedisServer, startRedis } from './redis-server.ts'
import { ask } from './resp.ts'
import { type RespProxy, startRespProxy } from './resp-proxy.ts'

export interface Replica {
  readonly server: RedisServer
  /** What lies between it and its primary: `pause()` is a partition, `resume()` its end. */
  readonly link: RespProxy
}

export interface ReplicatedRedis {
  /** Of the address that follows the primary. */
  readonly url: string
  readonly front: RespProxy
  readonly primary: RedisServer
  readonly replicas: readonly Replica[]
  /** Makes a replica the primary, and the address lead to it. Connections that there are stay where they are. */
  promote(replica: Replica): Promise<void>
  /** Until every replica has all that was written. */
  inSync(): Promise<void>
  stop(): Promise<void>
}

export async function startReplicated(count: number, options: RedisOptions = {}): Promise<ReplicatedRedis> {
  const stops: (() => Promise<unknown>)[] = []
  const stop = async () => {
    for (const one of stops.reverse().splice(0)) await one()
  }
  const keep = <T extends { stop(): Promise<unknown> }>(one: T): T => {
    stops.push(() => one.stop())
    return one
  }
  try {
    const quick = ['--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1', ...(options.args ?? [])]
    const primary = keep(await startRedis({ ...options, args: quick }))
    const replicas: Replica[] = []
    for (let n = 0; n < count; n++) {
      const link = keep(await startRespProxy({ target: primary.url }))
      const args = [...quick, '--replicaof', '127.0.0.1', String(link.port)]
      replicas.push({ server: keep(await startRedis({ ...options, args })), link })
    }
    const front = keep(await startRespProxy({ target: primary.url }))
    const inSync = async () => {
      for (const { server } of replicas) {
        await until(async () => (await infoOf(server.port)).get('master_link_status') === 'up', 'replicas connected')
      }
      await until(async () => {
        const info = await infoOf(primary.port)
        const offset = info.get('master_repl_offset')
        const lines = replicas.map((_, n) => info.get(`slave${n}`) ?? '')
        return lines.every((line) => line.includes('state=online') && line.includes(`offset=${offset},`))
      }, 'replicas in sync')
    }
    await inSync()
    return {
      url: front.url,
      front,
      primary,
      replicas,
      inSync,
      async promote({ server }) {
        await ask(server.port, [['REPLICAOF', 'NO', 'ONE']])
        front.retarget(server.url)
      },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

export async function infoOf(port: number): Promise<ReadonlyMap<string, string>> {
  const reply = await ask(port, [['INFO', 'replication'], ['PING']])
  const pairs = reply.split('\r\n').flatMap((line): [string, string][] => {
    const colon = line.indexOf(':')
    return colon < 1 ? [] : [[line.slice(0, colon), line.slice(colon + 1)]]
  })
  return new Map(pairs)
}

async function until(what: () => Promise<boolean>, name: string): Promise<void> {
  for (const deadline = Date.now() + 30_000; !(await what().catch(() => false)); await sleep(20)) {
    if (Date.now() > deadline) throw new Error(`not within 30 s: ${name}`)
  }
}
