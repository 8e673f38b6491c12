// Time that passes only when everything has been done that can be done now, machines with clocks of their own in it, and
// streams of bytes between them. With one seed everything happens again in the same order.
import type { Runtime } from 'countersign'
import { Random } from '../../test-support/random.ts'

interface Event {
  readonly atMs: number
  readonly order: number
  readonly run: () => void
}

/** 14 November 2023: any time will do, and it is always the same. */
const START_MS = 1_700_000_000_000

export class World {
  readonly random: Random
  readonly #heap: Event[] = []
  #order = 0
  #nowMs = 0

  constructor(seed: number) {
    this.random = new Random(seed)
  }

  /** True time since the start, which no machine knows. */
  get nowMs(): number {
    return this.#nowMs
  }
  get startMs(): number {
    return START_MS
  }

  after(ms: number, run: () => void): void {
    const heap = this.#heap
    heap.push({ atMs: this.#nowMs + Math.max(0, ms), order: this.#order++, run })
    for (let child = heap.length - 1; child > 0; ) {
      const parent = (child - 1) >> 1
      if (!isBefore(heap[child]!, heap[parent]!)) break
      ;[heap[child], heap[parent]] = [heap[parent]!, heap[child]!]
      child = parent
    }
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve))
  }

  /** Lets everything happen up to a moment. */
  async run(untilMs: number): Promise<void> {
    await settle()
    for (let next = this.#heap[0]; next && next.atMs <= untilMs; next = this.#heap[0]) {
      this.#pop()
      this.#nowMs = next.atMs
      next.run()
      await settle()
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs)
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length === 0) return
    heap[0] = last
    for (let parent = 0; ; ) {
      const [left, right] = [2 * parent + 1, 2 * parent + 2]
      let first = parent
      if (left < heap.length && isBefore(heap[left]!, heap[first]!)) first = left
      if (right < heap.length && isBefore(heap[right]!, heap[first]!)) first = right
      if (first === parent) return
      ;[heap[first], heap[parent]] = [heap[parent]!, heap[first]!]
      parent = first
    }
  }
}

const isBefore = (a: Event, b: Event) => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)

/** Until every promise that can go on has. Nothing here waits for anything but this world's time. */
const settle = () => new Promise((resolve) => setImmediate(resolve))

/** A machine, or a process on one: it stands still sometimes, and its wall clock is set. */
export class Machine {
  readonly runtime: Runtime
  readonly #world: World
  #wallOffsetMs = 0
  #frozenMs = 0
  /** Since when the monotonic clock stands still. */
  #frozenAtMs: number | undefined
  #isStopped = false
  #waiting: (() => void)[] = []

  constructor(world: World) {
    this.#world = world
    this.runtime = {
      clock: {
        nowMs: () => world.startMs + world.nowMs + this.#wallOffsetMs,
        monotonicMs: () => (this.#frozenAtMs ?? world.nowMs) - this.#frozenMs,
      },
      random: (bytes) => new Uint8Array(world.random.bytes(bytes)),
      timers: {
        setTimeout: (run, ms) => {
          const timer = { isOff: false }
          this.#timer(timer, run, this.runtime.clock.monotonicMs() + ms)
          return timer
        },
        clearTimeout: (timer) => {
          if (timer) (timer as { isOff: boolean }).isOff = true
        },
      },
    }
  }

  #timer(timer: { isOff: boolean }, run: () => void, dueMs: number): void {
    const leftMs = dueMs - this.runtime.clock.monotonicMs()
    this.#world.after(leftMs, () => {
      if (timer.isOff) return
      this.does(() => {
        if (timer.isOff) return
        // It counts by the monotonic clock, which may have stood still meanwhile.
        if (this.runtime.clock.monotonicMs() < dueMs - 0.001) this.#timer(timer, run, dueMs)
        else run()
      })
    })
  }

  /** Does it now, or as soon as it goes on. */
  does(run: () => void): void {
    if (this.#isStopped) this.#waiting.push(run)
    else run()
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.runtime.timers.setTimeout(resolve, ms))
  }

  /** Does nothing for so long. `suspended`: its monotonic clock stands still as well, as in a laptop whose lid is closed. */
  stop(ms: number, suspended: boolean): void {
    if (this.#isStopped) return
    this.#isStopped = true
    if (suspended) this.#frozenAtMs = this.#world.nowMs
    this.#world.after(ms, () => {
      if (this.#frozenAtMs !== undefined) this.#frozenMs += this.#world.nowMs - this.#frozenAtMs
      this.#frozenAtMs = undefined
      this.#isStopped = false
      const waiting = this.#waiting
      this.#waiting = []
      // One after the other, each with what follows from it.
      for (const run of waiting) this.#world.after(0, () => this.does(run))
    })
  }

  /** Sets the wall clock, forward or back. */
  setWall(byMs: number): void {
    this.#wallOffsetMs += byMs
  }
}

/**
 * One direction of a connection: in order, each with its delay, all of it held back or all of it lost. What arrives at one
 * moment is seen in one turn, as bytes of one chunk are: nobody who waits for the first of it goes on before the last.
 */
export class Stream {
  readonly #world: World
  readonly #delayMs: () => number
  readonly #queue: { readonly atMs: number; readonly arrive: () => void }[] = []
  #lastMs = 0
  #isCut = false
  #isHeld = false

  constructor(world: World, delayMs: () => number) {
    this.#world = world
    this.#delayMs = delayMs
  }

  send(arrive: () => void): void {
    this.#lastMs = Math.max(this.#lastMs, this.#world.nowMs + this.#delayMs())
    this.#queue.push({ atMs: this.#lastMs, arrive })
    this.#world.after(this.#lastMs - this.#world.nowMs, () => this.#deliver())
  }

  #deliver(): void {
    while (!this.#isHeld && !this.#isCut && this.#queue[0] && this.#queue[0].atMs <= this.#world.nowMs + 0.001) {
      this.#queue.shift()!.arrive()
    }
  }

  hold(): void {
    this.#isHeld = true
  }
  release(): void {
    if (!this.#isHeld) return
    this.#isHeld = false
    this.#world.after(0, () => this.#deliver())
  }
  cut(): void {
    this.#isCut = true
  }
}
