/** Rows at once. Mostly they wait; more would measure the processor instead. */
export const AT_ONCE = 3

/** Does the work for all of them, a few at a time, in their order. */
export async function mapSome<A, B>(all: readonly A[], work: (one: A) => Promise<B>): Promise<B[]> {
  const done: B[] = []
  let next = 0
  const worker = async () => {
    for (let at = next++; at < all.length; at = next++) done[at] = await work(all[at]!)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return done
}
