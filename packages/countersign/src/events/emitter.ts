/** Where the events of one part of Countersign can be heard. */
export interface Emitter<E extends { readonly type: string }> {
  /**
   * Calls `listener` for each event of a type, or of every type with `'*'`, in the turn in which it happens. What a
   * listener throws becomes a process warning and touches nothing else. Returns the function that takes it off again.
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
          try {
            listener(event)
          } catch (error) {
            process.emitWarning(`a listener for ${event.type} failed: ${(error as Error)?.name ?? 'unknown'}`, {
              code: 'COUNTERSIGN_LISTENER',
            })
          }
        }
      }
    },
  }
}
