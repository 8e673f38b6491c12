import type { AccessToken, RefreshToken } from '../session/ids.ts'
import type { SessionRecord } from '../session/record.ts'
import type { Durability } from '../session/types.ts'
import { sessionOf } from '../session/view.ts'
import { signAccessToken } from '../tokens/access-token.ts'
import { noSealingKey, noSigningKey } from '../tokens/keyring.ts'
import { writeMacToken } from '../tokens/mac-token.ts'
import { seal } from '../tokens/sealing.ts'
import type { Core } from './core.ts'

export type Rotation = 'first' | 'rotated' | 'replayed' | 'current'

/** What all verbs that hand out secrets answer. The public types narrow it per strategy. */
export interface Minted {
  readonly ok: true
  readonly session: ReturnType<typeof sessionOf>
  readonly accessToken: AccessToken
  readonly accessExpiresAtMs: number
  readonly refreshToken?: RefreshToken
  readonly refreshExpiresAtMs?: number
  readonly durability: Durability
  readonly replicas?: number
  readonly rotation: Rotation
}

/** Writes the tokens of a record whose current secret is `secret`. */
export function mint(
  core: Core,
  record: SessionRecord,
  secret: Uint8Array,
  how: {
    readonly stamp: number
    readonly durability: Durability
    readonly replicas?: number
    readonly rotation: Rotation
    readonly audience?: readonly string[]
  },
): Minted {
  const { stamp, durability, rotation } = how
  const replicas = how.replicas === undefined ? {} : { replicas: how.replicas }
  const { options, strategy, keys } = core
  const macToken = (prefix: 'cso_' | 'csr_') =>
    writeMacToken(prefix, { macKey: record.macKey, sessionId: record.id, generation: record.generation, secret }, keys)

  if (strategy.name === 'opaque') {
    const session = sessionOf(record, core.data)
    const accessToken = macToken('cso_') as AccessToken
    const accessExpiresAtMs = session.expiresAtMs
    return { ok: true, session, accessToken, accessExpiresAtMs, durability, ...replicas, rotation }
  }
  const key = keys.signWith(...options.algs)
  if (!key) throw noSigningKey(options.algs)
  const audience = how.audience ?? record.audience
  const rule = { ...options, random: core.runtime.random, withRoles: strategy.reads === 'token' }
  const signed = signAccessToken(record, stamp, audience, rule, key)
  const accessToken = options.sealed ? sealed(core, signed) : signed
  const accessExpiresAtMs = Math.floor(Math.min(stamp + options.accessMs, record.absoluteAtMs) / 1_000) * 1_000
  const session = sessionOf(record, core.data, audience, accessExpiresAtMs)
  const access = { ok: true, session, accessToken, accessExpiresAtMs, durability, ...replicas, rotation } as const
  if (!strategy.renews) return access
  return { ...access, refreshToken: macToken('csr_') as RefreshToken, refreshExpiresAtMs: record.refreshAtMs }
}

function sealed({ keys, runtime }: Core, signed: AccessToken): AccessToken {
  const key = keys.sealWith()
  if (!key) throw noSealingKey()
  return seal(signed, key, runtime.random) as AccessToken
}
