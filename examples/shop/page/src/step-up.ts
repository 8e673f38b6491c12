/** Asks the person in front of the page to prove it again. `SessionClient` waits for the answer; the dialog gives it. */
let waiting: ((proved: boolean) => void) | undefined
const listeners = new Set<() => void>()
const tell = () => {
  for (const listener of listeners) listener()
}

export const stepUp = {
  ask(): Promise<boolean> {
    waiting?.(false)
    return new Promise((resolve) => {
      waiting = resolve
      tell()
    })
  },
  answer(proved: boolean): void {
    waiting?.(proved)
    waiting = undefined
    tell()
  },
  isAsking: () => waiting !== undefined,
  subscribe(listener: () => void) {
    listeners.add(listener)
    return () => void listeners.delete(listener)
  },
}
