import { NodeConnection, type NodeConnectionOptions } from './node-connection.ts'
import { CONNECT_WITHIN_MS, type Topology, type TopologyListener } from './topology.ts'

/** One server. */
export function standaloneTopology(options: Omit<NodeConnectionOptions, 'onState'>): Topology {
  let listener: TopologyListener | undefined
  const connection = new NodeConnection({ ...options, onState: (is) => listener?.connection(is, connection) })
  return {
    heals: false,
    get isUp() {
      return connection.isUp
    },
    connectionFor: () => connection,
    primaries: () => [connection],
    listen: (on) => {
      listener = on
    },
    connect: () => connection.connect(CONNECT_WITHIN_MS),
    close: () => connection.destroy(),
  }
}
