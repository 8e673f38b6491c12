import type { Keyring } from 'countersign'
import type { Logger } from 'pino'
import { reloadKeysFile } from './keys-file.ts'

/** How often the file is read. */
const EVERY_MS = 5_000
/** What is told to operators, and waited for by `keys rotate`: by then every server has taken up a changed file. */
export const TAKEN_UP_MS = 10_000
/** A file that is refused is told again so often. */
const AGAIN_MS = 60_000

/** Something that keeps a keyring in step with its file. */
export interface KeysFollower {
  /** Reads the file now. Resolves when that is done, whatever came of it. */
  now(): Promise<void>
  stop(): void
}

/**
 * Keeps a keyring in step with its file, by reading it every few seconds: a watch would miss changes on some file systems,
 * and what a mounted secret is replaced by. A file that is refused is an error in the log, and the keys from before go on.
 */
export function followKeys(path: string, keyring: Keyring, log: Logger): KeysFollower {
  let told: { readonly text: string; readonly atMs: number } | undefined
  const look = async () => {
    try {
      if (await reloadKeysFile(path, keyring)) log.info({ event: 'keys_taken_up', ...summary(keyring) })
      told = undefined
    } catch (error) {
      const text = String(error)
      if (told?.text === text && performance.now() - told.atMs < AGAIN_MS) return
      told = { text, atMs: performance.now() }
      log.error({ event: 'keys_refused', file: path, err: error, note: 'the keys from before stay in force' })
    }
  }
  let timer: NodeJS.Timeout | undefined
  let isStopped = false
  const lookLater = () => {
    timer = setTimeout(() => void look().then(() => isStopped || lookLater()), EVERY_MS).unref()
  }
  lookLater()
  return {
    now: look,
    stop() {
      isStopped = true
      clearTimeout(timer)
    },
  }
}

/** Every key that counts, by its name: an operator sees that a server knows a key before it is put into use. */
function summary(keyring: Keyring): Record<string, unknown> {
  const counting = keyring.describe().filter(({ use, state }) => use !== 'placement' && state !== 'retired')
  return { version: keyring.version, keys: counting.map(({ use, alg, state, kid }) => `${use} ${alg} ${state} ${kid}`) }
}
