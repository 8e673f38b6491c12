// What the lab is doing: one line that is written over on a terminal, a line per step elsewhere.
const isTerminal = process.stderr.isTTY === true

export class LabProgress {
  readonly #startedMs = performance.now()
  readonly #cells: number
  #done = 0
  #step = ''
  #toldAt = 0

  /** @param cells - How many there will be. */
  constructor(cells: number) {
    this.#cells = cells
  }

  cellDone(): void {
    this.#done++
  }

  readonly tell = (step: string, now: string): void => {
    const text = `[${this.#time()}, ${this.#done} of ${this.#cells} cells] ${step}: ${now}`
    if (isTerminal) process.stderr.write(`\r\u001b[K${text}`)
    // Elsewhere a line for each step, and one from time to time.
    else if (this.#step !== step || this.seconds() - this.#toldAt > 15) process.stderr.write(`${text}\n`)
    else return
    this.#step = step
    this.#toldAt = this.seconds()
  }

  end(): void {
    if (isTerminal) process.stderr.write('\r\u001b[K')
  }

  seconds(): number {
    return (performance.now() - this.#startedMs) / 1_000
  }

  #time(): string {
    const seconds = Math.round(this.seconds())
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
  }
}
