// Results of Wycheproof that are wrong or debatable . Each is pinned: a case that deviates and is
// not listed fails, and so does a listed one that deviates no longer.
import type { Verdict } from './cases.ts'

export interface Deviation {
  readonly file: string
  readonly id: string
  /** SHA-256 of key and token, so that a renamed file is known and a changed case is not. */
  readonly fingerprint: string
  readonly verdict: Verdict
  readonly reason: string
}

const PS384 = 'the key says PS256 and the header PS384: one key has one algorithm'
const ES521 = 'the key says "ES521", which does not exist, and the header ES512'
const SAME_BYTES = 'the same bytes as the valid case 357: the padding that the case describes was lost'
const ALPHABET = 'holds "?", which is outside the base64url alphabet'
const ROCA = 'a 2048-bit key with the ROCA weakness: found only by a test of the modulus, which is not made'

export const DEVIATIONS: readonly Deviation[] = [
  { file: 'json_web_signature', id: '346', fingerprint: 'a7c2879346753ccd', verdict: 'refused', reason: PS384 },
  { file: 'json_web_signature', id: '347', fingerprint: '4808fd3f38a5e0b8', verdict: 'refused', reason: ES521 },
  { file: 'json_web_signature', id: '350', fingerprint: 'a43a83cd69fc43e3', verdict: 'refused', reason: PS384 },
  { file: 'json_web_signature', id: '351', fingerprint: 'ff01e9ef7be8510d', verdict: 'refused', reason: ES521 },
  { file: 'json_web_signature', id: '367', fingerprint: '3e8f734e1def0483', verdict: 'accepted', reason: SAME_BYTES },
  { file: 'json_web_signature', id: '370', fingerprint: '3e8f734e1def0483', verdict: 'accepted', reason: SAME_BYTES },
  { file: 'json_web_signature', id: '372', fingerprint: '875d64c903ead48b', verdict: 'refused', reason: ALPHABET },
  { file: 'json_web_signature', id: '373', fingerprint: '7aa251588218fe01', verdict: 'refused', reason: ALPHABET },
  { file: 'json_web_key', id: '7', fingerprint: 'b5a9e7d3507f50ac', verdict: 'accepted', reason: ROCA },
  { file: 'json_web_crypto', id: '46', fingerprint: 'ff8199a4ab2cecb7', verdict: 'accepted', reason: ROCA },
]
