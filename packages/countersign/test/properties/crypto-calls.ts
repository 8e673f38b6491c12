// Counts what is asked of the platform's crypto, also by modules that have imported its functions already.
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'

export interface CryptoCalls {
  /** HMACs made and signatures verified since the last call of `reset`. */
  signatures: number
  /** Decryptions begun. */
  openings: number
  reset(): void
  stop(): void
}

export function countCryptoCalls(): CryptoCalls {
  const { createHmac, verify, createDecipheriv } = crypto
  const calls: CryptoCalls = {
    signatures: 0,
    openings: 0,
    reset() {
      calls.signatures = 0
      calls.openings = 0
    },
    stop() {
      Object.assign(crypto, { createHmac, verify, createDecipheriv })
      syncBuiltinESMExports()
    },
  }
  const counting = <F extends (...args: never[]) => unknown>(f: F, what: 'signatures' | 'openings') =>
    ((...args: Parameters<F>) => {
      calls[what]++
      return f(...args)
    }) as unknown as F
  Object.assign(crypto, {
    createHmac: counting(createHmac as never, 'signatures'),
    verify: counting(verify as never, 'signatures'),
    createDecipheriv: counting(createDecipheriv as never, 'openings'),
  })
  syncBuiltinESMExports()
  return calls
}
