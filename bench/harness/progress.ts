// What the bench is doing: one line that is written over on a terminal, a line per step elsewhere.
const isTerminal = process.stderr.isTTY === true

/** Counts seconds of planned work, so that it can say how much is left. */
export class Progress {
  readonly #startedMs = performance.now()
  readonly #plannedSeconds: number
  #doneSeconds = 0
  #step = ''

  /** @param plannedSeconds - The sum of what all steps are planned to take. */
  constructor(plannedSeconds: number) {
    this.#plannedSeconds = plannedSeconds
  }

  /** A line that stays. */
  note(text: string): void {
    if (isTerminal) process.stderr.write('\r\u001b[K')
    process.stderr.write(`${text}\n`)
  }

  /**
   * @param step - The row or group.
   * @param now - What of it: round 3 of 15.
   */
  show(step: string, now: string): void {
    if (isTerminal) process.stderr.write(`\r\u001b[K[${this.#left()}] ${step}: ${now}`)
    // Elsewhere a line for each round would be a log that nobody reads.
    else if (step !== this.#step) process.stderr.write(`[${this.#left()}] ${step}: ${now}\n`)
    this.#step = step
  }

  /** This much of the planned work is behind us. */
  done(seconds: number): void {
    this.#doneSeconds += seconds
  }

  end(): void {
    if (isTerminal) process.stderr.write('\r\u001b[K')
  }

  /** What is left of the plan, at the pace so far. */
  #left(): string {
    const left = Math.max(0, this.#plannedSeconds - this.#doneSeconds)
    const spent = (performance.now() - this.#startedMs) / 1_000
    // At the start the plan is all there is; a slow machine shows after a while.
    const pace = this.#doneSeconds > 20 ? spent / this.#doneSeconds : 1
    const seconds = Math.round(left * pace)
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')} left`
  }
}
