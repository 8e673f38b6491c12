import { CountersignError } from '../../internal/errors.ts'
import type { Runtime } from '../../internal/runtime.ts'
import type { Connection } from './connection.ts'
import type { Argument, Reply } from './executor.ts'
import { lostFault, offlineFault } from './faults.ts'
import type { IoredisClient } from './ioredis.ts'
import { CONNECT_WITHIN_MS, type Topology, type TopologyListener } from './topology.ts'

/** How often it is looked whether the client is ready. */
const LOOK_AGAIN_MS = 50

/**
 * A client of ioredis that belongs to the application. It finds the servers by itself, follows redirections and reconnects
 * as it was told to; it is not closed here.
 */
export function ioredisTopology(client: IoredisClient, heals: boolean, { clock, timers }: Runtime): Topology {
  let listener: TopologyListener | undefined
  const connections = new WeakMap<IoredisClient, Connection>()
  const connectionOf = (of: IoredisClient): Connection => {
    const connection = connections.get(of) ?? ioredisConnection(of)
    connections.set(of, connection)
    return connection
  }
  const whole = connectionOf(client)
  const servers = () => (client.nodes ? client.nodes('master') : [client])
  const primaries = () => servers().map(connectionOf)

  const isUp = () => whole.isUp && primaries().length > 0 && primaries().every((primary) => primary.isUp)

  const watched = new WeakSet<IoredisClient>()
  const watch = (server: IoredisClient) => {
    if (watched.has(server)) return
    watched.add(server)
    const isPrimary = () => servers().includes(server)
    server.on('ready', () => {
      if (isPrimary()) listener?.connection('up', connectionOf(server))
    })
    server.on('close', () => listener?.connection('down', connectionOf(server)))
  }
  const look = () => {
    for (const server of servers()) {
      watch(server)
      // Nodes of a cluster connect when they are first needed; they are needed for the start check.
      if (client.nodes && server.status === 'wait') server.connect().catch(() => {})
    }
    listener?.changed()
  }
  if (client.nodes) for (const event of ['ready', '+node', '-node']) client.on(event, look)
  look()

  return {
    heals,
    get isUp() {
      return isUp()
    },
    connectionFor: () => whole,
    primaries,
    listen: (on) => {
      listener = on
    },
    connect: async () => {
      if (client.status === 'wait') client.connect().catch(() => {})
      const untilMs = clock.monotonicMs() + CONNECT_WITHIN_MS
      while (!isUp()) {
        if (clock.monotonicMs() >= untilMs) throw unready()
        await new Promise<void>((resolve) => timers.setTimeout(resolve, LOOK_AGAIN_MS))
        look()
      }
    },
    close: () => {},
  }
}

function ioredisConnection(client: IoredisClient): Connection {
  const { host, port } = client.options as { host?: string; port?: number }
  return {
    id: host === undefined || client.nodes ? 'the client given' : `${host}:${port}`,
    get isUp() {
      return client.status === 'ready'
    },
    offline: () => offlineFault(),
    async send([name, ...args]: readonly Argument[]) {
      if (client.status !== 'ready') throw offlineFault()
      try {
        return (await client.callBuffer(String(name), ...args)) as Reply
      } catch (error) {
        // Errors of ioredis carry the arguments of the command, so none of them is passed on as a cause.
        if ((error as Error).name === 'ReplyError') throw error
        throw lostFault(new Error((error as Error).message))
      }
    },
  }
}

function unready(): CountersignError {
  const message = `the Redis client given was not ready within ${CONNECT_WITHIN_MS / 1_000} s`
  return new CountersignError('ERR_STORE_UNAVAILABLE', message, { store: 'redis', retryable: true })
}
