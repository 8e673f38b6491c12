// What a check costs that the near cache answers, against the least that anything could cost: a look-up of the same
// token in a Map. Tokens come as bytes and are made into strings at each use, as a server gets them: a string whose hash
// is known already would make the look-up three times as fast as it is in life.
import { allowlist, createSessions, generateKeyring, loadKeyring, type Store } from 'countersign'
import { createVerifier as fastJwt } from 'fast-jwt'

/** Times one round of the work of a case, and of what it is compared with, in nanoseconds per token. */
export interface NearCase {
  readonly name: 'verify-hit/map' | 'verify-hit/map-awaited' | 'verify-hit/fast-jwt'
  /** Our time ÷ the other's that must not be exceeded. */
  readonly limit: number
  /** A round in which a token was not answered from memory is not counted; rejects when there are only such rounds. */
  ours(): Promise<number>
  other(): Promise<number>
}

export interface NearCases {
  readonly cases: readonly NearCase[]
  close(): Promise<void>
}

const TOKENS = 2_000
const ISSUER = 'https://auth.example.com'
const AUDIENCE = 'https://api.example.com'

/** Opens sessions for 2 000 tokens on the store, verified once each, so that every later check is a hit. */
export async function openNearCases(store: Store): Promise<NearCases> {
  const file = generateKeyring()
  const sessions = createSessions({
    strategy: allowlist({ issuer: ISSUER, audience: AUDIENCE, accessLifetime: '60m' }),
    keyring: await loadKeyring(file),
    store,
    timeouts: { absolute: '1d', idle: '10h' },
    roles: ['user'],
  })
  const tokens: Buffer[] = []
  for (let n = 0; n < TOKENS; n++) {
    const issued = await sessions.issue({
      subject: `user:${n}`,
      roles: ['user'],
      amr: ['pwd'],
      device: { id: `d${n}` },
    })
    if (!issued.ok) throw new Error(issued.reason)
    tokens.push(Buffer.from(issued.accessToken))
  }
  await fill(sessions, tokens)

  // In random order, the same for both sides.
  const order = Array.from({ length: 4 * TOKENS }, () => tokens[Math.floor(Math.random() * TOKENS)]!)
  const map = new Map(tokens.map((token) => [token.toString('latin1'), { ok: true }]))
  const jwk = file.signing.find(({ alg }) => alg === 'HS256')!
  const verify = fastJwt({
    key: Buffer.from(jwk.k!, 'base64url'),
    algorithms: ['HS256'],
    allowedIss: ISSUER,
    allowedAud: AUDIENCE,
    checkTyp: 'at+jwt',
    cache: false,
  })

  /** Nanoseconds. What was accepted is counted so that no engine can leave the work out. */
  const perToken = (startedMs: number, accepted: number) => {
    if (accepted > order.length) throw new Error('counted wrongly')
    return ((performance.now() - startedMs) / order.length) * 1e6
  }
  const synchronous = (check: (token: string) => unknown) => async () => {
    const startedMs = performance.now()
    let accepted = 0
    for (const bytes of order) if (check(bytes.toString('latin1'))) accepted++
    return perToken(startedMs, accepted)
  }
  const awaited = (check: (token: string) => unknown) => async () => {
    const startedMs = performance.now()
    let accepted = 0
    for (const bytes of order) if (await check(bytes.toString('latin1'))) accepted++
    return perToken(startedMs, accepted)
  }
  /**
   * A round in which every token was answered from memory: on a machine that is held up for a second the lease of the
   * copies runs out, which is as it should be and not what is measured here.
   */
  const hitting = (measure: () => Promise<number>) => async () => {
    for (let attempt = 1; attempt <= 50; attempt++) {
      await fill(sessions, tokens)
      const { hits } = sessions.health().nearCache
      const time = await measure()
      if (sessions.health().nearCache.hits - hits === order.length) return time
    }
    throw new Error('the store was asked in each of 50 rounds: nothing was measured')
  }
  const now = hitting(synchronous((token) => sessions.verifyNow(token)?.ok))
  return {
    cases: [
      { name: 'verify-hit/map', limit: 1.3, ours: now, other: synchronous((token) => map.get(token)?.ok) },
      {
        name: 'verify-hit/map-awaited',
        limit: 2,
        ours: hitting(awaited((token) => sessions.verify(token))),
        other: awaited((token) => map.get(token)),
      },
      { name: 'verify-hit/fast-jwt', limit: 0.25, ours: now, other: synchronous((token) => verify(token)) },
    ],
    close: () => sessions.close(),
  }
}

interface Checks {
  verify(token: string): Promise<unknown>
  verifyNow(token: string): unknown
}

/** Verifies until each token is answered from the copy: the line of a store over a network opens in the background. */
async function fill(sessions: Checks, tokens: readonly Buffer[]): Promise<void> {
  for (const untilMs = performance.now() + 10_000; performance.now() < untilMs; ) {
    for (const token of tokens) await sessions.verify(token.toString())
    if (tokens.every((token) => sessions.verifyNow(token.toString()) !== undefined)) return
  }
  throw new Error('the near cache does not answer')
}
