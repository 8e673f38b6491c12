import type { Reply } from './executor.ts'

/**
 * The pairs of a reply that is a map in RESP 3 and a flat list in RESP 2; node-redis gives an object, a Map or a list.
 * `undefined` when it is none of them.
 */
export function pairsOf(reply: Reply | object): Map<string, Buffer> | undefined {
  if (typeof reply !== 'object' || reply === null || Buffer.isBuffer(reply)) return undefined
  const entries: [unknown, unknown][] = Array.isArray(reply)
    ? reply.flatMap((field, at) => (at % 2 === 0 ? [[field, reply[at + 1]]] : []))
    : reply instanceof Map
      ? [...reply]
      : Object.entries(reply)
  const pairs = new Map<string, Buffer>()
  for (const [field, value] of entries) {
    if (!Buffer.isBuffer(value)) return undefined
    pairs.set(String(field), value)
  }
  return pairs
}
