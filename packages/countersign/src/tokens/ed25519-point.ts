const P = 2n ** 255n - 19n
const D = 37_095_705_934_669_439_343_138_083_508_754_565_189_542_113_879_843_219_016_388_785_533_085_940_283_555n

/**
 * Encodings of the points of order 1, 2, 4 and 8, without the sign bit. Under such a key signatures verify that nobody
 * made (RFC 8032 section 5.1.7 leaves the choice; "Taming the many EdDSAs", table 5).
 */
const SMALL_ORDER: ReadonlySet<string> = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
])

/**
 * Whether 32 bytes are the canonical encoding of a point of the curve that is good as a public key. The platform takes
 * any bytes, and only fails later, with each signature.
 */
export function isSoundEd25519Point(bytes: Buffer): boolean {
  if (bytes.length !== 32) return false
  const unsigned = Buffer.from(bytes)
  unsigned[31]! &= 0x7f
  if (SMALL_ORDER.has(unsigned.toString('hex'))) return false
  const y = BigInt(`0x${unsigned.reverse().toString('hex')}`)
  if (y >= P) return false
  // x² = (y² − 1) / (d·y² + 1) must have a root: Euler's criterion, and a·b is a square exactly when a / b is one.
  const ySquared = (y * y) % P
  return power(((ySquared - 1n + P) * (D * ySquared + 1n)) % P, (P - 1n) / 2n) === 1n
}

/** base^exponent modulo {@link P}. Not in constant time: public keys only. */
function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  for (let square = base, rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % P
    square = (square * square) % P
  }
  return result
}
