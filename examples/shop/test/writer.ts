// Somebody who fills carts that are on one primary, one article after the other, and repeats what nobody knows the outcome of.
import { randomUUID } from 'node:crypto'
import type { ClusterNode, RedisCluster } from '../../../tools/test-support/redis-cluster.ts'
import { cartKey, MOST_OF_ONE } from '../data/carts.ts'
import { OutcomeUnknown } from '../data/cluster.ts'
import type { RunningShop } from '../start.ts'

export async function writeOn({ stack: { carts } }: RunningShop, cluster: RedisCluster, primary: ClusterNode) {
  const owners: string[] = []
  while (owners.length < 20) {
    const owner = `writer-${randomUUID()}`
    if ((await cluster.ownerOf(await cluster.slotOf(cartKey(owner)))) === primary) owners.push(owner)
  }
  let isOver = false
  const seen = { acknowledged: 0, replicated: 0, unknown: 0 }
  const write = async (owner: string) => {
    const operation = randomUUID()
    for (;;) {
      try {
        const { durability } = await carts.change(owner, 'rope', 1, operation)
        seen.acknowledged++
        if (durability === 'replicated') seen.replicated++
        return
      } catch (error) {
        if (!(error instanceof OutcomeUnknown)) throw error
        seen.unknown++
      }
    }
  }
  const writing = (async () => {
    for (let i = 0; !isOver && i < owners.length * MOST_OF_ONE; i++) await write(owners[i % owners.length]!)
  })()
  return {
    seen,
    /** What was said of it, and how many articles are there. */
    async stop() {
      isOver = true
      await writing
      const all = await Promise.all(owners.map((owner) => carts.read(owner)))
      return { ...seen, found: all.reduce((sum, { rope = 0 }) => sum + rope, 0) }
    },
  }
}
