// Every secret that a run came across, to be searched for afterwards.
import { createHmac } from 'node:crypto'
import type { KeyringFile } from 'countersign'
import type { Secret } from '../../../../tools/test-support/secret-search.ts'

/** Sizes in `cso_` and `csr_` tokens (docs/design/0001): version, key number, session id, generation, secret, MAC. */
const ID_AT = 2
const GENERATION_AT = ID_AT + 25
const SECRET_AT = GENERATION_AT + 4
const MAC_AT = SECRET_AT + 32
const TOKEN_BYTES = MAC_AT + 32

export class Vault {
  readonly #rotation: readonly Buffer[]
  readonly #known = new Map<string, Secret>()
  /** Hex of the secrets that refresh tokens carried, and of those that derive from them. */
  readonly #carried = new Set<string>()
  readonly #derived = new Set<string>()

  /** Begins with all keys of a keyring. */
  constructor(keyring: KeyringFile) {
    const bytes = (text: string | undefined) => Buffer.from(text ?? '', 'base64url')
    this.#rotation = keyring.rotation.map(({ k }) => bytes(k))
    this.add('placement key', bytes(keyring.placement.k))
    for (const use of ['mac', 'rotation', 'signing', 'sealing'] as const) {
      for (const { kid, k, d } of keyring[use]) this.add(`${use} key ${kid}`, bytes(k ?? d))
    }
  }

  get secrets(): Secret[] {
    return [...this.#known.values()]
  }
  /** How many derived secrets were later handed out as tokens: shows that the derivation here is the real one. */
  get successorsSeen(): number {
    return [...this.#derived].filter((secret) => this.#carried.has(secret)).length
  }

  add(name: string, value: string | Uint8Array): void {
    const id = Buffer.from(value as Uint8Array).toString('hex')
    if (!this.#known.has(id)) this.#known.set(id, { name: `${name} (${this.#known.size})`, value })
  }

  /** A token as it was handed out, and what is secret inside it. */
  token(text: string): void {
    if (text.startsWith('eyJ')) {
      this.add('access token', text)
      this.add('signature', Buffer.from(text.slice(text.lastIndexOf('.') + 1), 'base64url'))
      return
    }
    const kind = text.slice(0, 4)
    const bytes = Buffer.from(text.slice(4), 'base64url')
    if ((kind !== 'cso_' && kind !== 'csr_') || bytes.length !== TOKEN_BYTES) throw new Error(`what token is ${kind}…?`)
    this.add(kind === 'cso_' ? 'opaque token' : 'refresh token', text)
    const secret = bytes.subarray(SECRET_AT, MAC_AT)
    this.add(`secret of a ${kind} token`, secret)
    this.add(`MAC of a ${kind} token`, bytes.subarray(MAC_AT))
    if (kind === 'csr_') this.#successor(bytes, secret)
  }

  /** docs/design/0003: what the store must not hold either is the secret that comes next. */
  #successor(token: Buffer, secret: Buffer): void {
    this.#carried.add(secret.toString('hex'))
    const next = Buffer.alloc(4)
    next.writeUInt32BE(token.readUInt32BE(GENERATION_AT) + 1)
    for (const key of this.#rotation) {
      const derived = createHmac('sha256', key)
        .update('cs-refresh-1')
        .update(token.subarray(ID_AT, GENERATION_AT))
        .update(next)
        .update(secret)
        .digest()
      this.add('derived successor', derived)
      this.#derived.add(derived.toString('hex'))
    }
  }
}
