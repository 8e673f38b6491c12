/** What a hash costs. */
export interface Argon2Cost {
  readonly memoryKiB: number
  readonly passes: number
  readonly parallelism: number
}

/** What a PHC string says of its hash. */
export interface Phc extends Argon2Cost {
  readonly saltBytes: number
  readonly hashBytes: number
}

/**
 * Beyond these a hash is not computed, whether the option or the stored string asks for it: memory is allocated before
 * anything else happens, so one wrong digit in a store could end the process.
 */
export const MAX_COST: Argon2Cost = { memoryKiB: 262_144, passes: 64, parallelism: 16 }

export const SALT_BYTES = 16
export const HASH_BYTES = 32

const PHC =
  /^\$argon2id\$v=19\$m=([1-9]\d{0,5}),t=([1-9]\d?),p=([1-9]\d?)\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/

/**
 * Reads the PHC string of an argon2id hash. `undefined` for anything else, and for a cost that would not be computed.
 */
export function parsePhc(text: string): Phc | undefined {
  const match = PHC.exec(text)
  if (!match) return undefined
  const [memoryKiB, passes, parallelism] = match.slice(1, 4).map(Number) as [number, number, number]
  if (memoryKiB > MAX_COST.memoryKiB || passes > MAX_COST.passes || parallelism > MAX_COST.parallelism) return undefined
  if (memoryKiB < 8 * parallelism) return undefined
  const salt = Buffer.from(match[4]!, 'base64')
  const hash = Buffer.from(match[5]!, 'base64')
  if (base64(salt) !== match[4] || base64(hash) !== match[5]) return undefined
  return { memoryKiB, passes, parallelism, saltBytes: salt.length, hashBytes: hash.length }
}

/** Writes a PHC string. */
export function formatPhc(cost: Argon2Cost, salt: Uint8Array, hash: Uint8Array): string {
  const { memoryKiB, passes, parallelism } = cost
  return `$argon2id$v=19$m=${memoryKiB},t=${passes},p=${parallelism}$${base64(salt)}$${base64(hash)}`
}

/**
 * Whether a stored hash is cheaper to attack than a new one would be. Compared by memory² × passes, the area and time
 * of an attacker's chip: a total order, so that two nodes with different options cannot re-hash for ever in turn.
 */
export function isWeaker(stored: Phc, wanted: Argon2Cost): boolean {
  const weight = (cost: Argon2Cost) => cost.memoryKiB ** 2 * cost.passes
  return weight(stored) < weight(wanted) || stored.saltBytes < SALT_BYTES || stored.hashBytes < HASH_BYTES
}

/** Without padding, as PHC strings have it. */
function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replace(/=+$/, '')
}
