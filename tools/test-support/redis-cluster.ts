// A real Redis Cluster of one's own for a test, on free ports. Each node is a `startRedis`: killed, frozen and started
// again by its process, and ended with the test process however that goes.
import { type Answer, command, eventually } from './redis-command.ts'
import { type RedisOptions, type RedisServer, startRedis } from './redis-server.ts'

const SLOTS = 16_384

export interface RedisClusterOptions extends Pick<RedisOptions, 'appendonly' | 'appendfsync' | 'requirepass' | 'args'> {
  /** Default 3, at least 1. */
  readonly primaries?: number
  /** In all, dealt out evenly. Default 3. */
  readonly replicas?: number
  /**
   * How long a node may be silent until the others replace it. Default 10 000: on a loaded machine a short time makes
   * failovers that no test asked for. Tests of failovers take 2 000.
   */
  readonly nodeTimeoutMs?: number
  readonly morePorts?: readonly string[]
}

export interface ClusterNode extends RedisServer {
  /** As `CLUSTER MYID` says. */
  readonly id: string
}

export interface RedisCluster {
  /** The first ones began as primaries. */
  readonly nodes: readonly ClusterNode[]
  /** Of all nodes. */
  readonly urls: readonly string[]
  /** By any node that answers. */
  slotOf(key: string): Promise<number>
  /** The node that answers for the slot now, as `asked` sees it (default: the first that answers). */
  ownerOf(slot: number, asked?: ClusterNode): Promise<ClusterNode>
  replicasOf(primary: ClusterNode): Promise<ClusterNode[]>
  /** Begins to move a slot by hand, as `redis-cli --cluster reshard` does: keys of it may then be on either side. */
  beginMove(slot: number, to: ClusterNode): Promise<SlotMove>
  /** Moves a slot with all that is in it. */
  moveSlot(slot: number, to: ClusterNode): Promise<void>
  /** Makes the replica a primary, in agreement with the old one, and waits until it is. */
  failover(replica: ClusterNode): Promise<void>
  /** Waits until all nodes that run agree that all is well, and the replicas follow their primaries. */
  settle(): Promise<void>
  stop(): Promise<void>
}

export interface SlotMove {
  /** Moves up to `most` keys, and answers how many. */
  keys(most: number): Promise<number>
  /** Moves these. */
  these(...names: readonly string[]): Promise<void>
  /** Moves the rest, and makes the new owner known to everybody. */
  finish(): Promise<void>
}

export async function startRedisCluster(options: RedisClusterOptions = {}): Promise<RedisCluster> {
  const { primaries = 3, replicas = 3, nodeTimeoutMs = 10_000 } = options
  const started = await Promise.allSettled(
    Array.from({ length: primaries + replicas }, () => startNode(nodeTimeoutMs, options)),
  )
  const nodes = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const cluster = controls(nodes, options.requirepass)
  try {
    for (const one of started) if (one.status === 'rejected') throw one.reason
    await join(nodes, primaries)
    await cluster.settle()
    return cluster
  } catch (error) {
    await cluster.stop()
    throw error
  }
}

async function startNode(nodeTimeoutMs: number, options: RedisClusterOptions): Promise<ClusterNode> {
  const { args = [], morePorts = [], requirepass } = options
  const settings = {
    'cluster-enabled': 'yes',
    'cluster-node-timeout': String(nodeTimeoutMs),
    // A replica of a test has nothing to catch up with for long, and must be allowed to take over at once.
    'cluster-replica-validity-factor': '0',
    'repl-ping-replica-period': '1',
    'repl-diskless-sync-delay': '0',
    ...(requirepass !== undefined && { masterauth: requirepass }),
  }
  const server = await startRedis({
    ...options,
    morePorts: ['cluster-port', ...morePorts],
    args: [...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]), ...args],
  })
  const id = String(await command(server.url, 'CLUSTER', 'MYID'))
  // The getters of the server stay what they are.
  return Object.defineProperty(server, 'id', { value: id, enumerable: true }) as ClusterNode
}

/** Slots to the primaries, everybody acquainted, replicas to their primaries. */
async function join(nodes: readonly ClusterNode[], primaries: number): Promise<void> {
  const [first] = nodes
  await Promise.all(
    nodes.map(async ({ url }, index) => {
      // Without it they all start with the same epoch and first quarrel about it.
      await command(url, 'CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1))
      if (index >= primaries) return
      const [from, to] = [index, index + 1].map((n) => Math.round((n * SLOTS) / primaries))
      await command(url, 'CLUSTER', 'ADDSLOTSRANGE', String(from), String(to! - 1))
    }),
  )
  for (const { port, ports } of nodes.slice(1)) {
    await command(first!.url, 'CLUSTER', 'MEET', '127.0.0.1', String(port), String(ports['cluster-port']))
  }
  for (const [index, node] of nodes.entries()) {
    if (index < primaries) continue
    const primary = nodes[index % primaries]!
    await eventually(
      `node ${node.port} knows its primary`,
      () => command(node.url, 'CLUSTER', 'REPLICATE', primary.id),
      (answer) => answer === 'OK',
    )
  }
}

/** One line of CLUSTER NODES. */
interface Seen {
  readonly id: string
  readonly flags: ReadonlySet<string>
  readonly primary: string
  /** Slots on the move are left out. */
  readonly ranges: readonly (readonly [number, number])[]
}

async function view(node: ClusterNode): Promise<Seen[]> {
  const text = String(await command(node.url, 'CLUSTER', 'NODES'))
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [id, , flags, primary, , , , , ...slots] = line.split(' ')
      const ranges = slots
        .filter((range) => !range.startsWith('['))
        .map((range) => range.split('-').map(Number) as [number, number?])
        .map(([from, to = from]) => [from, to] as const)
      return { id: id!, flags: new Set(flags!.split(',')), primary: primary!, ranges }
    })
}

function controls(nodes: readonly ClusterNode[], password: string | undefined): RedisCluster {
  const byId = (id: string) => {
    const node = nodes.find((one) => one.id === id)
    if (!node) throw new Error(`no node of this cluster has the id ${id}`)
    return node
  }
  const anyone = async <T>(ask: (node: ClusterNode) => Promise<T>): Promise<T> => {
    let failure: unknown
    for (const node of nodes.filter(runs)) {
      try {
        return await ask(node)
      } catch (error) {
        failure = error
      }
    }
    throw failure ?? new Error('no node of the cluster runs')
  }
  const ownerOf = async (slot: number, asked?: ClusterNode) => {
    const seen = asked ? await view(asked) : await anyone(view)
    const owner = seen.find(({ ranges }) => ranges.some(([from, to]) => from <= slot && slot <= to))
    if (!owner) throw new Error(`nobody has slot ${slot}`)
    return byId(owner.id)
  }

  const beginMove = async (slot: number, to: ClusterNode): Promise<SlotMove> => {
    const from = await ownerOf(slot)
    const set = (node: ClusterNode, ...words: string[]) =>
      command(node.url, 'CLUSTER', 'SETSLOT', String(slot), ...words)
    await set(to, 'IMPORTING', from.id)
    await set(from, 'MIGRATING', to.id)
    const auth = password === undefined ? [] : ['AUTH', password]
    const these = async (...names: readonly string[]) => {
      await command(from.url, 'MIGRATE', '127.0.0.1', String(to.port), '', '0', '5000', ...auth, 'KEYS', ...names)
    }
    const keys = async (most: number) => {
      const names = (await command(from.url, 'CLUSTER', 'GETKEYSINSLOT', String(slot), String(most))) as string[]
      if (names.length === 0) return 0
      await these(...names)
      return names.length
    }
    return {
      keys,
      these,
      async finish() {
        while ((await keys(100)) > 0);
        // The new owner first: with the old one first there is a moment in which nobody has it.
        await set(to, 'NODE', to.id)
        await set(from, 'NODE', to.id)
        for (const node of nodes)
          if (runs(node) && node !== to && node !== from) await set(node, 'NODE', to.id).catch(() => {})
      },
    }
  }

  const settle = async () => {
    const alive = nodes.filter(runs)
    await eventually(
      'all nodes of the cluster agree',
      () => Promise.all(alive.map(async (node) => ({ node, sees: await view(node), info: await clusterInfo(node) }))),
      (all) => {
        const owners = new Set<string>()
        for (const { sees, info } of all) {
          if (info.get('cluster_state') !== 'ok') return false
          const living = sees.filter(({ id }) => alive.some((node) => node.id === id))
          if (living.length !== alive.length) return false
          if (living.some(({ flags }) => ['handshake', 'fail', 'fail?', 'noaddr'].some((flag) => flags.has(flag))))
            return false
          owners.add(JSON.stringify(living.map(({ id, primary, ranges }) => [id, primary, ranges]).sort()))
        }
        return owners.size === 1
      },
    )
    for (const node of alive) {
      await eventually(
        `node ${node.port} follows its primary`,
        async () => fieldsOf(await command(node.url, 'INFO', 'replication')),
        (info) => info.get('role') === 'master' || info.get('master_link_status') === 'up',
      )
    }
    // Every primary must know its replicas before one of them can be asked to take over.
    for (const { id, flags, primary } of await anyone(view)) {
      if (!flags.has('slave') || !alive.includes(byId(id)) || !alive.includes(byId(primary))) continue
      await eventually(
        `node ${byId(primary).port} knows its replica`,
        async () => fieldsOf(await command(byId(primary).url, 'INFO', 'replication')),
        (info) => [...info.values()].some((value) => value.includes(`port=${byId(id).port},state=online`)),
      )
    }
  }

  return {
    nodes,
    urls: nodes.map(({ url }) => url),
    slotOf: (key) => anyone(async ({ url }) => Number(await command(url, 'CLUSTER', 'KEYSLOT', key))),
    ownerOf,
    async replicasOf(primary) {
      return (await anyone(view)).filter((one) => one.primary === primary.id).map(({ id }) => byId(id))
    },
    beginMove,
    async moveSlot(slot, to) {
      await (await beginMove(slot, to)).finish()
    },
    async failover(replica) {
      await command(replica.url, 'CLUSTER', 'FAILOVER')
      await eventually(
        `node ${replica.port} has become a primary`,
        () => view(replica),
        (seen) => seen.find(({ flags }) => flags.has('myself'))!.flags.has('master'),
      )
    },
    settle,
    async stop() {
      await Promise.all(nodes.map((node) => node.stop()))
    },
  }
}

async function clusterInfo(node: ClusterNode): Promise<ReadonlyMap<string, string>> {
  return fieldsOf(await command(node.url, 'CLUSTER', 'INFO'))
}

/** `name:value` lines. */
export function fieldsOf(text: Answer): ReadonlyMap<string, string> {
  return new Map(
    String(text)
      .split('\r\n')
      .map((line) => [line.slice(0, Math.max(0, line.indexOf(':'))), line.slice(line.indexOf(':') + 1)]),
  )
}

function runs(node: RedisServer): boolean {
  return node.isRunning
}
