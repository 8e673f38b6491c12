// What a guest has put into the cart comes along at login, exactly once: the two carts are in different slots of the
// cluster, so no single script can do it. Whoever repeats the three steps, from the start, at any time, gets there.
import { randomUUID } from 'node:crypto'
import { CART_SECONDS, cartKey, MARK_SECONDS, MOST_OF_ONE, markKey } from './carts.ts'
import type { ShopCluster } from './cluster.ts'

/** Where a test interrupts. */
export type MergeStep = 'before' | 'marked' | 'applied' | 'buried'

const TOMBSTONE_SECONDS = 7 * 86_400

/**
 * Moves the cart of a guest into the one of an account.
 *
 * 1. Mark the source: it takes no more, and remembers the account and a name for the operation. The first account wins.
 * 2. Add its content to the target, unless the target has the name already.
 * 3. Replace the source by a tombstone.
 *
 * @returns How many articles were moved by this call. 0 also when another call was faster.
 */
export async function mergeGuest(
  data: ShopCluster,
  guest: string,
  subject: string,
  at: (step: MergeStep) => void = () => {},
): Promise<number> {
  at('before')
  const source = cartKey(guest)
  const marked = await data.write<string[]>('merge-mark', [source], [subject, randomUUID()]) // 1
  at('marked')
  const [operation, ...items] = marked.value
  if (operation === undefined) return 0
  const target = [cartKey(subject), markKey(subject, `merge:${operation}`)]
  const applied = await data.write<number>('merge-apply', target, [MOST_OF_ONE, CART_SECONDS, MARK_SECONDS, ...items]) // 2
  at('applied')
  await data.write('merge-bury', [source], [operation, TOMBSTONE_SECONDS]) // 3
  at('buried')
  return applied.value === 1 ? items.length / 2 : 0
}
