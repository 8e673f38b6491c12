// A real primary with replicas, watched by real sentinels, for a test. All on free ports, each a `startRedis`.

import { fieldsOf } from './redis-cluster.ts'
import { command, eventually } from './redis-command.ts'
import { type RedisOptions, type RedisServer, startRedis } from './redis-server.ts'

export interface RedisSentinelOptions extends Pick<RedisOptions, 'appendonly' | 'appendfsync'> {
  /** Of the data nodes. There always is one, or `isolate` could shut nobody out. Default `data`. */
  readonly requirepass?: string
  /** Default 2. */
  readonly replicas?: number
  /** Default 3. */
  readonly sentinels?: number
  /** What the sentinels call the primary. Default `main`. */
  readonly name?: string
  /** Default 10 000, because a loaded machine is slow; tests of failovers take 2 000. */
  readonly downAfterMs?: number
  /** Of the sentinels themselves. */
  readonly sentinelPassword?: string
  /** Further command line arguments of the data nodes, for example `['--min-replicas-to-write', '1']`. */
  readonly args?: readonly string[]
  /** Of every process. */
  readonly morePorts?: readonly string[]
  /** Further command line arguments of the sentinels. */
  readonly sentinelArgs?: readonly string[]
  /** The setting whose port the nodes are known by. Default `port`; `tls-port` for replication and sentinels over TLS. */
  readonly knownBy?: 'port' | 'tls-port'
}

export interface RedisSentinels {
  readonly name: string
  /** The first one began as the primary. */
  readonly nodes: readonly RedisServer[]
  readonly sentinels: readonly RedisServer[]
  /** Whom the sentinels name; the first that answers. */
  primary(): Promise<RedisServer>
  /**
   * Asks the sentinels to replace the primary, and waits until they name another one. They turn the old one into a replica
   * when it suits them, some ten seconds later.
   */
  failover(): Promise<RedisServer>
  /** Waits until all sentinels that run name the same primary, which says so itself, and the replicas follow it. */
  settle(): Promise<RedisServer>
  /**
   * Cuts a node off from the sentinels and the other nodes, as a partition does that leaves clients on its side: it goes on
   * serving whoever is connected to it or connects. Frozen clocks and processes are `kill('SIGSTOP')`.
   */
  isolate(node: RedisServer): Promise<void>
  /** Lets the others back in. */
  heal(node: RedisServer): Promise<void>
  stop(): Promise<void>
}

/** Replicas and sentinels come as users of their own, so that a test can shut them out and nobody else. */
const PEERS = ['peer-replica', 'peer-sentinel'] as const
const PEER_PASSWORD = 'peer'

export async function startRedisSentinels(options: RedisSentinelOptions = {}): Promise<RedisSentinels> {
  const { replicas = 2, sentinels = 3, name = 'main' } = options
  const all: RedisServer[] = []
  const start = async (more: RedisOptions) => {
    const server = await startRedis(more)
    all.push(server)
    return server
  }
  const portOf = (server: RedisServer) => (options.knownBy === 'tls-port' ? server.ports['tls-port']! : server.port)
  try {
    const primary = await start(dataNode(options))
    const followers = await Promise.all(
      Array.from({ length: replicas }, () =>
        start(dataNode(options, ['--replicaof', '127.0.0.1', String(portOf(primary))])),
      ),
    )
    const nodes = [primary, ...followers]
    const watchers = await Promise.all(
      Array.from({ length: sentinels }, () => start(sentinelNode(options, name, portOf(primary), sentinels))),
    )
    const group = controls(name, nodes, watchers, portOf)
    await group.settle()
    return group
  } catch (error) {
    await Promise.all(all.map((server) => server.stop()))
    throw error
  }
}

function dataNode(options: RedisSentinelOptions, more: readonly string[] = []): RedisOptions {
  const [replica, sentinel] = PEERS
  const settings = {
    masteruser: replica,
    masterauth: PEER_PASSWORD,
    'repl-diskless-sync-delay': '0',
    'repl-ping-replica-period': '1',
    'repl-timeout': '5',
  }
  return {
    ...options,
    requirepass: options.requirepass ?? 'data',
    args: [
      ...['--user', replica, 'on', `>${PEER_PASSWORD}`, '~*', '&*', '+@all'],
      ...['--user', sentinel, 'on', `>${PEER_PASSWORD}`, '~*', '&*', '+@all'],
      ...Object.entries(settings).flatMap(([setting, value]) => [`--${setting}`, value]),
      ...more,
      ...(options.args ?? []),
    ],
  }
}

function sentinelNode(options: RedisSentinelOptions, name: string, port: number, sentinels: number): RedisOptions {
  const { sentinelPassword, downAfterMs = 10_000, sentinelArgs = [], morePorts = [] } = options
  const quorum = Math.floor(sentinels / 2) + 1
  const lines = [
    `sentinel monitor ${name} 127.0.0.1 ${port} ${quorum}`,
    `sentinel down-after-milliseconds ${name} ${downAfterMs}`,
    // Twice this is the rest between two failovers.
    `sentinel failover-timeout ${name} ${3 * downAfterMs}`,
    `sentinel parallel-syncs ${name} 5`,
    `sentinel auth-user ${name} ${PEERS[1]}`,
    `sentinel auth-pass ${name} ${PEER_PASSWORD}`,
    ...(sentinelPassword === undefined ? [] : [`sentinel sentinel-pass ${sentinelPassword}`]),
  ]
  return {
    configFile: `${lines.join('\n')}\n`,
    morePorts,
    args: ['--sentinel', ...sentinelArgs],
    ...(sentinelPassword !== undefined && { requirepass: sentinelPassword }),
  }
}

function controls(
  name: string,
  nodes: readonly RedisServer[],
  sentinels: readonly RedisServer[],
  portOf: (server: RedisServer) => number,
): RedisSentinels {
  const named = async (sentinel: RedisServer): Promise<RedisServer> => {
    const address = (await command(sentinel.url, 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name)) as string[]
    const node = nodes.find((one) => String(portOf(one)) === address[1])
    if (!node) throw new Error(`the sentinels name ${address.join(':')}, which is none of the nodes`)
    return node
  }
  const primary = async () => {
    let failure: unknown
    for (const sentinel of sentinels) {
      if (!sentinel.isRunning) continue
      try {
        return await named(sentinel)
      } catch (error) {
        failure = error
      }
    }
    throw failure ?? new Error('no sentinel runs')
  }
  const isolated = new Set<RedisServer>()
  const settle = async (): Promise<RedisServer> => {
    const watchers = sentinels.filter((one) => one.isRunning)
    const others = nodes.filter((one) => one.isRunning && !isolated.has(one))
    const agreed = await eventually(
      'all sentinels name the same primary, which is one',
      async () => {
        const [one, ...more] = await Promise.all(watchers.map(named))
        const info = fieldsOf(await command(one!.url, 'INFO', 'replication'))
        const views = await Promise.all(
          watchers.map(async ({ url }) => pairsOf(await command(url, 'SENTINEL', 'MASTER', name))),
        )
        const isSure = views.every(
          (view) => view.get('flags') === 'master' && Number(view.get('num-other-sentinels')) >= watchers.length - 1,
        )
        return { one: one!, isAgreed: isSure && more.every((other) => other === one) && info.get('role') === 'master' }
      },
      ({ isAgreed }) => isAgreed,
    )
    for (const node of others) {
      if (node === agreed.one) continue
      await eventually(
        `node ${node.port} follows the primary`,
        async () => fieldsOf(await command(node.url, 'INFO', 'replication')),
        (info) => info.get('master_link_status') === 'up' && info.get('master_port') === String(portOf(agreed.one)),
      )
    }
    for (const { url } of watchers) {
      await eventually(
        'every sentinel knows the replicas',
        async () => (await command(url, 'SENTINEL', 'REPLICAS', name)) as string[][],
        (known) =>
          others.every(
            (node) =>
              node === agreed.one ||
              known.some((one) => {
                const fields = pairsOf(one)
                return (
                  fields.get('port') === String(portOf(node)) &&
                  fields.get('flags') === 'slave' &&
                  fields.get('master-link-status') === 'ok'
                )
              }),
          ),
      )
    }
    return agreed.one
  }

  return {
    name,
    nodes,
    sentinels,
    primary,
    settle,
    async failover() {
      const before = await primary()
      const asked = sentinels.find((one) => one.isRunning)!
      await command(asked.url, 'SENTINEL', 'FAILOVER', name)
      return eventually('the sentinels name another primary', primary, (now) => now !== before)
    },
    async isolate(node) {
      isolated.add(node)
      for (const peer of PEERS) {
        await command(node.url, 'ACL', 'SETUSER', peer, 'off')
        await command(node.url, 'CLIENT', 'KILL', 'USER', peer)
      }
    },
    async heal(node) {
      for (const peer of PEERS) await command(node.url, 'ACL', 'SETUSER', peer, 'on')
      isolated.delete(node)
    },
    async stop() {
      await Promise.all([...sentinels, ...nodes].map((server) => server.stop()))
    },
  }
}

function pairsOf(answer: unknown): ReadonlyMap<string, string> {
  const flat = answer as string[]
  return new Map(flat.flatMap((field, at) => (at % 2 === 0 ? [[field, flat[at + 1]!] as const] : [])))
}
