// The client as articles make it: `createClient({ url })`.
import { createClient } from 'redis'
import { told } from '../serve.ts'

export const client = createClient({ url: told.store.urls[0]! })
client.on('error', () => {})
await client.connect()

/** Of this process, as the lab counts them everywhere. */
export const calls: Record<string, number> = {}
export function count<T>(name: string, asked: Promise<T>): Promise<T> {
  calls[name] = (calls[name] ?? 0) + 1
  return asked
}
