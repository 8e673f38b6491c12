import type { Runtime } from '../../internal/runtime.ts'

/** Turns without a use in between after which a process counts as idle. At 200 ms: 5 s. */
const IDLE_AFTER_TURNS = 25

export interface WhileUsedParts {
  readonly everyMs: number
  readonly timers: Runtime['timers']
  /** Counts uses. */
  uses(): number
  /** One turn. The first one is taken by the use that begins them. */
  turn(): void
}

/** Takes turns at a fixed pace from the first use on, until nothing is used any more: an idle process asks nothing. */
export class WhileUsed {
  readonly #parts: WhileUsedParts
  #isOn = false
  #idleTurns = 0
  #usesBefore = -1
  #isOver = false

  constructor(parts: WhileUsedParts) {
    this.#parts = parts
  }

  /** Begins, unless turns are being taken. */
  use(): void {
    if (this.#isOn) return
    this.#isOn = true
    this.#idleTurns = 0
    this.#tick()
  }

  end(): void {
    this.#isOver = true
  }

  #tick(): void {
    if (this.#isOver) return
    const { everyMs, timers, uses, turn } = this.#parts
    const usesNow = uses()
    this.#idleTurns = usesNow === this.#usesBefore ? this.#idleTurns + 1 : 0
    this.#usesBefore = usesNow
    if (this.#idleTurns > IDLE_AFTER_TURNS) {
      this.#isOn = false
      return
    }
    turn()
    timers.setTimeout(() => this.#tick(), everyMs, 'background')
  }
}
