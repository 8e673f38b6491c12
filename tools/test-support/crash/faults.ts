// Environments of processes with a fault that a crash test must find.

/** SQLite: answers before it commits. */
export const EARLY_COMMIT: NodeJS.ProcessEnv = preload('early-commit.ts')

/** SQLite: does not wait for the disk as it should. */
export const noSync = (level: 'OFF' | 'NORMAL'): NodeJS.ProcessEnv => ({ ...preload('no-sync.ts'), NO_SYNC: level })

function preload(script: string): NodeJS.ProcessEnv {
  return { NODE_OPTIONS: `--import ${import.meta.resolve('tsx')} --import ${new URL(script, import.meta.url)}` }
}
