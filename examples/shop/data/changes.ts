// Tells all processes that something of a subject is different now. A notice holds no data and may be lost: pages read
// again when they connect.
import { Cluster } from 'ioredis'
import type { ShopCluster } from './cluster.ts'

export type Changed = 'cart' | 'preferences' | 'orders' | 'devices'
type Listener = (subject: string, what: Changed) => void

const CHANNEL = 'shop:changed'

export async function tellChange({ cluster }: ShopCluster, subject: string, what: Changed): Promise<void> {
  // Not waited for by anybody: the change itself has been acknowledged.
  await cluster.publish(CHANNEL, JSON.stringify([subject, what])).catch(() => undefined)
}

/** Returns what ends it. */
export async function onChange({ cluster }: ShopCluster, listener: Listener): Promise<() => void> {
  // A connection that has subscribed does nothing else. Every node hears what is published at any.
  const line = new Cluster(
    cluster.nodes().map(({ options }) => ({ host: options.host!, port: options.port! })),
    { clusterRetryStrategy: (times) => Math.min(50 * times, 500) },
  )
  line.on('error', () => undefined)
  line.on('message', (_channel, text) => {
    const [subject, what] = JSON.parse(text) as [string, Changed]
    listener(subject, what)
  })
  await line.subscribe(CHANNEL)
  return () => line.disconnect()
}
