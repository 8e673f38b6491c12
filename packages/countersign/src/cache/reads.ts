import { type Clock, elapsedMs, type Moment, momentOf } from '../internal/runtime.ts'
import type { Line, Tracked } from '../stores/contract.ts'

/** A question to the store that is under way, or whose askers have not finished with the answer. */
interface Flight<T> {
  readonly key: string
  readonly tag: string
  readonly number: number
  readonly asked: Moment
  readonly answer: Promise<Tracked<T>>
  /** Something has changed since it was asked. */
  isVoid: boolean
  users: number
}

/** One caller's part in a read. `end` must be called. */
export interface Reading<T> {
  /** What was asked. A fault is thrown to every caller who shares the question. */
  answer(): Promise<T>
  /** When that was asked, by whoever shares it. */
  asked(): Moment
  /** What the answer may be kept under, as long as nothing has changed since the question. Ask in the turn that keeps it. */
  keepable(): { readonly line: Line; readonly asked: Moment } | undefined
  end(): void
}

/**
 * Reads that several callers share, so that a key which everybody wants at once is asked for once.
 *
 * Who may use an answer: a caller may always use one that was asked for after the caller came. One that was asked for
 * before is shared only while it is younger than `shareMs`, and used only if nothing was told to have changed since and
 * something would have been told: else the caller asks again, this time certainly after it came. So a caller asks twice
 * at most, and never sees what was void when it came.
 */
export class Reads<T> {
  readonly #read: (key: string) => Promise<Tracked<T>>
  readonly #tagOf: (key: string) => string
  readonly #clock: Clock
  readonly #shareMs: number
  readonly #byTag = new Map<string, Flight<T>[]>()
  #count = 0

  constructor(
    read: (key: string) => Promise<Tracked<T>>,
    tagOf: (key: string) => string,
    clock: Clock,
    shareMs: number,
  ) {
    this.#read = read
    this.#tagOf = tagOf
    this.#clock = clock
    this.#shareMs = shareMs
  }

  begin(key: string): Reading<T> {
    const came = ++this.#count
    let flight = this.#join(key, ({ asked }) => elapsedMs(this.#clock, asked) <= this.#shareMs) ?? this.#start(key)
    let line: Line | undefined
    let hasEnded = false
    return {
      answer: async () => {
        let tracked = await flight.answer
        if (flight.number < came && (flight.isVoid || !tracked.line) && !hasEnded) {
          this.#leave(flight)
          flight = this.#join(key, ({ number }) => number > came) ?? this.#start(key)
          tracked = await flight.answer
        }
        line = tracked.line
        return tracked.found
      },
      asked: () => flight.asked,
      keepable: () => (line && !flight.isVoid ? { line, asked: flight.asked } : undefined),
      end: () => {
        hasEnded = true
        this.#leave(flight)
      },
    }
  }

  voidKey(key: string): void {
    this.#void(this.#tagOf(key), (flight) => flight.key === key)
  }
  voidTag(tag: string): void {
    this.#void(tag, () => true)
  }
  voidAll(): void {
    for (const tag of [...this.#byTag.keys()]) this.voidTag(tag)
  }

  #join(key: string, may: (flight: Flight<T>) => boolean): Flight<T> | undefined {
    const flight = this.#byTag.get(this.#tagOf(key))?.findLast((one) => one.key === key && may(one))
    if (flight) flight.users++
    return flight
  }

  #start(key: string): Flight<T> {
    const tag = this.#tagOf(key)
    const number = ++this.#count
    const flight = { key, tag, number, asked: momentOf(this.#clock), answer: this.#read(key), isVoid: false, users: 1 }
    const flights = this.#byTag.get(tag)
    if (flights) flights.push(flight)
    else this.#byTag.set(tag, [flight])
    return flight
  }

  /** Nobody joins it any more; those who have may find out that it is void. */
  #void(tag: string, is: (flight: Flight<T>) => boolean): void {
    const flights = this.#byTag.get(tag)
    if (!flights) return
    const rest = flights.filter((flight) => {
      if (is(flight)) flight.isVoid = true
      return !flight.isVoid
    })
    if (rest.length > 0) this.#byTag.set(tag, rest)
    else this.#byTag.delete(tag)
  }

  #leave(flight: Flight<T>): void {
    if (--flight.users > 0 || flight.isVoid) return
    const rest = this.#byTag.get(flight.tag)?.filter((one) => one !== flight) ?? []
    if (rest.length > 0) this.#byTag.set(flight.tag, rest)
    else this.#byTag.delete(flight.tag)
  }
}
