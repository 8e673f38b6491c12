/**
 * Lets the writes of one subject go one at a time in this process. In the database they follow each other anyway; waiting
 * here costs no connection, so whoever sends a thousand requests for one subject holds up that subject and nobody else.
 */
export class SubjectQueue {
  readonly #last = new Map<string, Promise<void>>()

  /** Resolves when it is the caller's turn, with what ends it. */
  async enter(tag: string): Promise<() => void> {
    const before = this.#last.get(tag)
    let leave = () => {}
    const mine = new Promise<void>((resolve) => {
      leave = resolve
    })
    this.#last.set(tag, mine)
    await before
    return () => {
      if (this.#last.get(tag) === mine) this.#last.delete(tag)
      leave()
    }
  }
}
