// One command to one Redis server, on a connection of its own: also while that server is in the middle of a failover.
import { inspect } from 'node:util'
import { createClient } from 'redis'

/** What a server answers. Errors are thrown. Text is decoded, so this is not for records. */
export type Answer = string | number | null | readonly Answer[]

/** @param url - With the password, if one is needed. A server that is silent for 5 s is an error. */
export async function command(url: string, ...words: readonly string[]): Promise<Answer> {
  const socket = { connectTimeout: 5_000, socketTimeout: 5_000, reconnectStrategy: false as const }
  const client = createClient({ url, RESP: 2, socket })
  // What goes wrong is thrown by the call as well.
  client.on('error', () => {})
  try {
    await client.connect()
    return (await client.sendCommand([...words])) as unknown as Answer
  } finally {
    client.destroy()
  }
}

/** Asks until the answer is what is waited for, and fails with `what` and the last answer after `withinMs`. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T>,
  isIt: (answer: T) => boolean,
  withinMs = 60_000,
): Promise<T> {
  let last: unknown
  for (const untilMs = Date.now() + withinMs; Date.now() < untilMs; ) {
    try {
      const answer = await ask()
      if (isIt(answer)) return answer
      last = answer
    } catch (error) {
      last = error
    }
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  const seen = last instanceof Error ? last.message : inspect(last)
  throw new Error(`${what}: not within ${withinMs / 1_000} s; the last answer was ${seen}`)
}
