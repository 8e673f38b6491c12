import { elapsedMs, type Moment, momentOf, type Runtime } from '../../internal/runtime.ts'
import type { Connection } from './connection.ts'
import { scripts } from './scripts.generated.ts'

interface Post {
  /** When the last fence that was answered had been sent. */
  passedAt: Moment | undefined
  asking: Promise<void> | undefined
}

/** Older than this it is renewed beside the reads; a read waits once it is older than {@link STALE_MS}. */
export const RENEW_MS = 500
export const STALE_MS = 1_000

/**
 * Lets reads pass on a connection only while the server at its other end has shown, at most a second ago, that it accepts
 * writes. A primary that sentinels have replaced serves reads for ever to whoever is cut off with it; with
 * `min-replicas-to-write` it refuses writes soon after it lost its replicas. The fence is a script that writes nothing but
 * is marked as one that may, which is all that the server looks at.
 */
export class WriteFence {
  readonly #clock: Runtime['clock']
  readonly #posts = new WeakMap<Connection, Post>()

  constructor({ clock }: Pick<Runtime, 'clock'>) {
    this.#clock = clock
  }

  /** `undefined`: go on. Else the read waits for it, and fails as it does. */
  pass(connection: Connection): Promise<void> | undefined {
    let post = this.#posts.get(connection)
    if (!post) {
      post = { passedAt: undefined, asking: undefined }
      this.#posts.set(connection, post)
    }
    const age = post.passedAt ? elapsedMs(this.#clock, post.passedAt) : Number.POSITIVE_INFINITY
    if (age < RENEW_MS) return undefined
    post.asking ??= this.#ask(connection, post)
    if (age >= STALE_MS) return post.asking
    post.asking.catch(() => {})
    return undefined
  }

  async #ask(connection: Connection, post: Post): Promise<void> {
    const sentAt = momentOf(this.#clock)
    const { sha1, source } = scripts.passFence
    try {
      await connection.send(['EVALSHA', sha1, '0']).catch((error: Error) => {
        if (!error.message.startsWith('NOSCRIPT')) throw error
        return connection.send(['EVAL', source, '0'])
      })
      post.passedAt = sentAt
    } finally {
      post.asking = undefined
    }
  }
}
