/** Why something is asked about: somebody waits for it, something was told of it, or it is time. */
export type Why = 'waited' | 'told' | 'due'

/** What is to be asked about, so many side by side. Whom somebody waits for, and words of a change, go before what is merely due. */
export class Questions<T> {
  readonly #ask: (about: T, why: Why) => Promise<void>
  readonly #parallel: number
  readonly #urgent = new Map<T, Why>()
  readonly #due = new Set<T>()
  #running = 0

  /** @param ask - Must not reject. */
  constructor(parallel: number, ask: (about: T, why: Why) => Promise<void>) {
    this.#parallel = parallel
    this.#ask = ask
  }

  add(about: T, why: Why): void {
    if (this.#urgent.has(about)) return
    if (why === 'due') this.#due.add(about)
    else {
      this.#due.delete(about)
      this.#urgent.set(about, why)
    }
    this.#pump()
  }

  drop(about: T): void {
    this.#urgent.delete(about)
    this.#due.delete(about)
  }

  #pump(): void {
    while (this.#running < this.#parallel) {
      const [next] = this.#urgent.size > 0 ? this.#urgent.keys() : this.#due
      if (next === undefined) return
      const why = this.#urgent.get(next) ?? 'due'
      this.drop(next)
      this.#running++
      void this.#ask(next, why).finally(() => {
        this.#running--
        this.#pump()
      })
    }
  }
}
