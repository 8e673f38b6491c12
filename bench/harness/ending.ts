// Whatever was started is ended, in the reverse order, however the bench ends: by itself, by a failure, or by Ctrl-C.
const steps: (() => unknown)[] = []
let ending: Promise<void> | undefined

/** Runs `step` at the end. Returns what takes it off the list again, when it has been done earlier. */
export function atEnd(step: () => unknown): () => void {
  steps.push(step)
  return () => {
    const at = steps.lastIndexOf(step)
    if (at >= 0) steps.splice(at, 1)
  }
}

/** Whether the bench has been told to end. */
export const isEnding = (): boolean => ending !== undefined

export function endAll(): Promise<void> {
  ending ??= (async () => {
    for (let step = steps.pop(); step; step = steps.pop()) await step()
  })()
  return ending
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    process.stderr.write(`\n${signal}: ending what was started\n`)
    void endAll().finally(() => process.exit(130))
  })
}
