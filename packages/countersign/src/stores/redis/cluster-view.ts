import type { Place } from './endpoint.ts'
import type { Reply } from './executor.ts'
import { corrupt } from './segments.ts'
import { parseInfo } from './server-check.ts'
import { SLOTS } from './slots.ts'

/** What one node says of the cluster. */
export interface ClusterView {
  /** Grows with every failover and every slot that changes hands; the higher one is the newer view. */
  readonly epoch: number
  /** False on a node that is cut off from the majority, or that knows of slots which nobody has. */
  readonly isOk: boolean
  readonly ranges: readonly SlotRange[]
}

export interface SlotRange {
  readonly from: number
  readonly to: number
  /** As the nodes announce it. Without a host: that of the node which was asked. */
  readonly primary: Pick<Place, 'port'> & Partial<Place>
}

/** From the answers to CLUSTER INFO and CLUSTER SLOTS, asked of one node in this order. */
export function clusterView(info: Reply, slots: Reply): ClusterView {
  const facts = parseInfo(String(info))
  if (!Array.isArray(slots)) throw corrupt('CLUSTER SLOTS')
  return {
    epoch: Number(facts.get('cluster_current_epoch') ?? 0),
    isOk: facts.get('cluster_state') === 'ok',
    ranges: slots.map(rangeOf),
  }
}

/** `[from, to, [host or null or empty, port, …], replicas…]` */
function rangeOf(range: Reply): SlotRange {
  const [from, to, primary] = Array.isArray(range) ? (range as readonly Reply[]) : []
  const [host, port] = Array.isArray(primary) ? (primary as readonly Reply[]) : []
  const isSlot = (n: unknown): n is number => typeof n === 'number' && n >= 0 && n < SLOTS
  if (!isSlot(from) || !isSlot(to) || typeof port !== 'number') throw corrupt('CLUSTER SLOTS')
  const name = host === null || host === undefined ? '' : String(host)
  // A question mark: the node does not know its own name.
  return { from, to, primary: { port, ...(name !== '' && name !== '?' && { host: name }) } }
}
