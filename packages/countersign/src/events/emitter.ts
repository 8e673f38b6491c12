/** Where the events of one part of Countersign can be heard. */
export interface Emitter<E extends { readonly type: string }> {
  /**
   * Calls `listener` for each event of a type, or of every type with `'*'`, in the turn in which it happens. What a
   * listener throws, or a promise of its rejects with, becomes a process warning and touches nothing else. Nobody waits
   * for that promise. Returns the function that takes it off again.
   */
  on<T extends E['type']>(type: T, listener: (event: Extract<E, { type: T }>) => void): () => void
  on(type: '*', listener: (event: E) => void): () => void
}

/** The same with the side that only the library uses. */
export interface EmitterSource<E extends { readonly type: string }> extends Emitter<E> {
  emit(event: E): void
}

export function createEmitter<E extends { readonly type: string }>(): EmitterSource<E> {
  const listeners = new Map<string, Set<(event: E) => void>>()
  return {
    on(type: string, listener: (event: never) => void) {
      const set = listeners.get(type) ?? new Set()
      listeners.set(type, set)
      const entry = listener as (event: E) => void
      set.add(entry)
      return () => set.delete(entry)
    },
    emit(event) {
      for (const type of [event.type, '*']) {
        for (const listener of listeners.get(type) ?? []) {
          callListener(event.type, () => listener(event))
        }
      }
    },
  }
}

/** Calls something of the application that must not fail us: what it throws, or rejects with, becomes a process warning. */
export function callListener(what: string, call: () => unknown): void {
  try {
    const result = call()
    // An async function fits the type of a listener, and its rejection must not end the process.
    if (result instanceof Promise) result.catch((error: unknown) => warn(what, error))
  } catch (error) {
    warn(what, error)
  }
}

/** Names the kind of error only: its message may hold what the event held. */
function warn(what: string, error: unknown): void {
  const name = error instanceof Error ? error.name : 'unknown'
  process.emitWarning(`a listener for ${what} failed: ${name}`, { code: 'COUNTERSIGN_LISTENER' })
}
