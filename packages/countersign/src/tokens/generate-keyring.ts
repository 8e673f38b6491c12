import { generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import { toBase64url } from '../internal/bytes.ts'
import { type Runtime, systemRuntime } from '../internal/runtime.ts'
import { type KeyJwk, SECRET_BYTES, type SigningAlg, thumbprint } from './key-material.ts'
import type { KeyringFile } from './keys.ts'

/**
 * Makes the content of a new keyring file: one key for every purpose that is asked for. Write it where only the service can read it, and
 * back it up with the data.
 *
 * @param options.signing - Algorithms to make signing keys for. Default `HS256` and `ES256`.
 * @param options.sealing - Also a key for strategies with `sealed: true`. Default `false`.
 */
export function generateKeyring(
  options: { signing?: readonly SigningAlg[]; sealing?: boolean; runtime?: Runtime } = {},
): KeyringFile {
  const { clock, random } = options.runtime ?? systemRuntime
  const created = new Date(clock.nowMs()).toISOString()
  const common = { state: 'active', created } as const
  const secret = (more: object = {}): KeyJwk => {
    const jwk = { kty: 'oct', k: toBase64url(random(SECRET_BYTES)) }
    // The thumbprint of a secret tells nothing of it, but a random name tells even less.
    return { ...jwk, kid: toBase64url(random(9)).replace(/^-/, 'A'), ...common, ...more }
  }
  return {
    version: 1,
    placement: secret(),
    mac: [secret({ number: 1 })],
    rotation: [secret({ number: 1 })],
    signing: (options.signing ?? ['HS256', 'ES256']).map((alg) =>
      alg === 'HS256' ? secret({ alg }) : { ...keyPair(alg), ...common, alg },
    ),
    sealing: options.sealing === true ? [secret({ alg: 'A256GCM' })] : [],
  }
}

/** A name that begins with a dash is taken for an option on a command line, so no key gets one. */
function keyPair(alg: 'ES256' | 'Ed25519'): JsonWebKey & { kid: string } {
  for (;;) {
    const { privateKey } =
      alg === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519')
    const jwk = privateKey.export({ format: 'jwk' })
    const kid = thumbprint(jwk)
    if (!kid.startsWith('-')) return { ...jwk, kid }
  }
}
