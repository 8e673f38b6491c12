// Carts: one key per owner, so that all devices of an account share one and each change is one atomic script.
import type { ShopCluster, Written } from './cluster.ts'

/** Article → how many. */
export type Items = Readonly<Record<string, number>>
/** A subject, or `guest:` with the secret of the guest's cookie. */
export type Owner = string

export const MOST_OF_ONE = 99
export const CART_SECONDS = 30 * 86_400
/** An operation may be repeated for so long without happening twice. Longer than any cart of a guest lives. */
export const MARK_SECONDS = 60 * 86_400

export const cartKey = (owner: Owner) => `shop:{${owner}}:cart`
export const markKey = (owner: Owner, operation: string) => `shop:{${owner}}:done:${operation}`

export type Carts = ReturnType<typeof createCarts>

export function createCarts(data: ShopCluster) {
  return {
    async read(owner: Owner): Promise<Items> {
      return itemsOf(await data.ask(data.cluster.hgetall(cartKey(owner))))
    },
    /**
     * Changes one quantity by `change`. Two devices that do it at once both land.
     *
     * @param operation - A random name: repeated after a lost answer, nothing happens twice.
     * @returns `moved`: this was the cart of a guest, and is in an account by now.
     */
    async change(
      owner: Owner,
      article: string,
      change: number,
      operation: string,
    ): Promise<Written<'done' | 'repeated' | 'moved'>> {
      const keys = [cartKey(owner), markKey(owner, operation)]
      const args = [article, change, MOST_OF_ONE, CART_SECONDS, 86_400]
      const written = await data.write<number>('cart-change', keys, args)
      return { ...written, value: written.value === 1 ? 'done' : written.value === 0 ? 'repeated' : 'moved' }
    },
  }
}

/** Members that begin with `#` are about the cart itself. */
function itemsOf(hash: Record<string, string>): Items {
  const items = Object.entries(hash).filter(([name]) => !name.startsWith('#'))
  return Object.fromEntries(items.map(([name, quantity]) => [name, Number(quantity)]))
}
