// Orders: beside the cart in its slot, so that one script empties the one and writes the other.
import { cartKey, type Items } from './carts.ts'
import type { ShopCluster, Written } from './cluster.ts'

export interface Order {
  readonly id: string
  readonly at: number
  readonly items: Items
}

const ordersKey = (subject: string) => `shop:{${subject}}:orders`
/** For the back office: name of the order → subject. Another slot, so it may name orders that were never placed. */
const INDEX = 'shop:{office}:orders'
const SENT = 'shop:{office}:sent'

export type Orders = ReturnType<typeof createOrders>

export function createOrders(data: ShopCluster) {
  const { cluster, ask } = data
  return {
    /** @param id - Chosen by the page: the same again after an unknown outcome is the same order. */
    async place(subject: string, id: string, nowMs: number): Promise<Written<Order | 'empty'>> {
      await ask(cluster.hset(INDEX, id, subject))
      const written = await data.write<[number, string?]>(
        'order-place',
        [cartKey(subject), ordersKey(subject)],
        [id, nowMs],
      )
      const [code, order] = written.value
      return { ...written, value: code === -1 ? 'empty' : (JSON.parse(order!) as Order) }
    },
    async of(subject: string): Promise<readonly Order[]> {
      const all = await ask(cluster.hvals(ordersKey(subject)))
      return all.map((order) => JSON.parse(order) as Order).sort((a, b) => b.at - a.at)
    },
    async all(): Promise<readonly (Order & { readonly subject: string; readonly sent: boolean })[]> {
      const [index, sent] = await Promise.all([ask(cluster.hgetall(INDEX)), ask(cluster.smembers(SENT))])
      const orders = await Promise.all([...new Set(Object.values(index))].map((subject) => this.of(subject)))
      return orders
        .flat()
        .map((order) => ({ ...order, subject: index[order.id] ?? '', sent: sent.includes(order.id) }))
        .sort((a, b) => b.at - a.at)
    },
    send: (id: string) => ask(cluster.sadd(SENT, id)),
  }
}
