// A keyring takes up a new file while it is in use: everything that was made with it follows, or nothing changes.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import {
  allowlist,
  createSessions,
  createVerifier,
  generateKeyring,
  type Keyring,
  type KeyringFile,
  loadKeyring,
  opaque,
  retireKey,
  rotateKeyring,
  stateless,
  withdrawKey,
} from 'countersign'
import { createServiceTokens } from 'countersign/oauth'
import { createOneTime } from 'countersign/one-time'
import { memoryStore } from 'countersign/stores/memory'
import { describe, expect, test } from 'vitest'

const ALGS = ['HS256', 'ES256', 'Ed25519'] as const
const jwt = { issuer: 'https://auth.test', audience: 'https://api.test' }
const timeouts = { idle: '30m', absolute: '7d' } as const
const reset = { purpose: 'password_reset', boundTo: 'state' } as const
const headerOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString())
const rotated = (file: KeyringFile) =>
  (['mac', 'rotation', 'signing', 'sealing'] as const).reduce((now, use) => rotateKeyring(now, use).file, file)
const edited = (file: KeyringFile, change: (copy: KeyringFile) => void) => {
  const copy = structuredClone(file)
  change(copy)
  return copy
}

describe('everything that holds the keyring follows a reload', () => {
  test('sessions: HS256, ES256, Ed25519 on one store, and the tokens of each are good until its key is retired', async () => {
    let file = generateKeyring({ signing: ['HS256'] })
    const keyring = await loadKeyring(file)
    const sessions = createSessions({
      strategy: allowlist({ ...jwt, alg: ALGS, grace: '1s', reuse: 'strict' }),
      store: memoryStore(),
      keyring,
      timeouts,
    })
    const issued = await sessions.issue({ subject: 'ada' })
    if (!issued.ok) throw new Error(issued.reason)
    const tokens: string[] = [issued.accessToken]
    let { refreshToken } = issued
    const renew = async () => {
      const next = await sessions.refresh(refreshToken)
      if (!next.ok) throw new Error(next.reason)
      tokens.push(next.accessToken)
      ;({ refreshToken } = next)
    }
    for (const alg of ['ES256', 'Ed25519'] as const) {
      for (const prepare of [true, false]) {
        for (const use of ['mac', 'rotation', 'signing'] as const)
          ({ file } = rotateKeyring(file, use, { prepare, ...(use === 'signing' && { alg }) }))
        expect(await keyring.reload(file)).toBe(true)
        await renew()
      }
    }
    expect(keyring.version).toBe(5)
    expect(tokens.map((token) => headerOf(token).alg)).toEqual(['HS256', 'HS256', 'ES256', 'ES256', 'Ed25519'])
    for (const token of tokens) expect((await sessions.verify(token)).ok).toBe(true)

    const [hs, es] = file.signing
    file = retireKey(withdrawKey(file, hs!.kid)!.file, hs!.kid)!.file
    await keyring.reload(file)
    const ok = async () => (await Promise.all(tokens.map((token) => sessions.verify(token)))).map(({ ok }) => ok)
    expect(await ok()).toEqual([false, false, true, true, true])
    await keyring.reload(retireKey(file, es!.kid)!.file)
    expect(await ok()).toEqual([false, false, false, false, true])
    // The refresh token of the mac key before is none of the newest, and good all the same.
    await renew()
    await sessions.close()
  })

  test('opaque sessions, one-time tokens, service tokens, verifiers and the JWK Set', async () => {
    const file = generateKeyring({ sealing: true })
    const keyring = await loadKeyring(file)
    const store = memoryStore()
    const sessions = createSessions({ strategy: opaque(), store, keyring, timeouts })
    const sealed = createSessions({
      strategy: stateless({ ...jwt, sealed: true, refresh: false }),
      keyring,
      timeouts,
    })
    const oneTime = createOneTime({ store, keyring })
    const service = createServiceTokens({ keyring, issuer: jwt.issuer, alg: ['ES256', 'Ed25519'] })
    const signatures = createVerifier({ keys: keyring, issuer: jwt.issuer, audience: 'b' })
    const opens = createVerifier({ keys: keyring, ...jwt, audience: 'https://api.test', sealed: true })
    const make = async () => {
      const session = await sessions.issue({ subject: 'ada' })
      const blind = await sealed.issue({ subject: 'ada' })
      const { id } = await oneTime.issue({ subject: 'ada', ...reset })
      if (!session.ok || !blind.ok) throw new Error('refused')
      return {
        session: session.accessToken,
        blind: blind.accessToken,
        link: oneTime.tokenFor(id),
        service: service.issue({ clientId: 'a', audience: 'b' }).token,
      }
    }
    const accepted = async (made: Awaited<ReturnType<typeof make>>) => ({
      session: (await sessions.verify(made.session)).ok,
      blind: (await opens.verify(made.blind)).ok,
      link: (await oneTime.look(made.link, reset)).ok,
      service: service.read(made.service) !== undefined && (await signatures.verify(made.service)).ok,
    })
    const all = { session: true, blind: true, link: true, service: true }

    const before = await make()
    const next = rotated(file)
    await keyring.reload(next)
    expect(keyring.jwks().keys).toHaveLength(2)
    expect(await accepted(before)).toEqual(all)
    const after = await make()
    expect(headerOf(after.service).kid).toBe(next.signing.at(-1)!.kid)
    expect(headerOf(after.blind).kid).toBe(next.sealing.at(-1)!.kid)
    expect(await accepted(after)).toEqual(all)

    const closed = edited(next, (copy) => {
      for (const use of ['mac', 'rotation', 'signing', 'sealing'] as const)
        for (const key of copy[use]) if (key.state === 'retiring') key.state = 'retired'
    })
    await keyring.reload(closed)
    expect(await accepted(before)).toEqual({ session: false, blind: false, link: false, service: false })
    expect(await accepted(after)).toEqual(all)
    await sessions.close()
  })

  test('a key that is pending is published and accepted, and signs nothing', async () => {
    const file = generateKeyring({ signing: ['ES256'] })
    const prepared = rotateKeyring(file, 'signing', { prepare: true })
    const [early, late] = [await loadKeyring(prepared.file), await loadKeyring(file)]
    const made = (keyring: Keyring) =>
      createSessions({ strategy: stateless({ ...jwt, alg: 'ES256', refresh: false }), keyring, timeouts })
    expect(early.jwks().keys.map(({ kid }) => kid)).toContain(prepared.kid)
    const quiet = await made(early).issue({ subject: 'ada' })
    expect(quiet.ok && headerOf(quiet.accessToken).kid).toBe(file.signing[0]!.kid)
    await late.reload(rotateKeyring(prepared.file, 'signing').file)
    const loud = await made(late).issue({ subject: 'ada' })
    expect(loud.ok && headerOf(loud.accessToken).kid).toBe(prepared.kid)
    expect(loud.ok && (await made(early).verify(loud.accessToken)).ok).toBe(true)
  })
})

describe('a content that does not continue the one in force is refused, and that one stays', () => {
  const file = rotated(generateKeyring({ signing: ['ES256'], sealing: true }))
  const other = rotated(generateKeyring({ signing: ['ES256'], sealing: true }))
  test.each<[string, (copy: KeyringFile) => void, RegExp]>([
    ['another placement key', (copy) => (copy.placement = other.placement), /"placement" is another key/],
    ['a number that stands for another key', (copy) => (copy.mac[0] = other.mac[0]!), /"mac" has another key under/],
    [
      'the same name over another secret',
      (copy) => (copy.rotation[0]!.k = other.rotation[0]!.k!),
      /"rotation" has another key under the number 1/,
    ],
    ['no longer a key that counts', (copy) => copy.mac.shift(), /"mac" lacks the key number 1/],
    ['no longer a signing key', (copy) => copy.signing.shift(), /"signing" lacks the key /],
    ['no longer a sealing key', (copy) => copy.sealing.shift(), /"sealing" lacks the key /],
    [
      'another signing key under the same name',
      (copy) => (copy.signing[0] = { ...other.signing[0]!, kid: copy.signing[0]!.kid }),
      /"signing" has another key under the name/,
    ],
    [
      'nothing to sign with',
      (copy) => (copy.signing[1]!.state = 'retiring'),
      /"signing" has no active key for ES256, with which this process signs/,
    ],
    ['nothing to seal with', (copy) => (copy.sealing[1]!.state = 'retiring'), /"sealing" has no active key/],
    ['what is no keyring', (copy) => (copy.version = 2 as never), /"version" must be 1/],
  ])('%s', async (_, change, message) => {
    const keyring = await loadKeyring(file)
    const strategy = stateless({ ...jwt, alg: 'ES256', refresh: false, sealed: true })
    const sessions = createSessions({ strategy, keyring, timeouts })
    const issued = await sessions.issue({ subject: 'ada' })
    const error: any = await keyring.reload(edited(file, change)).catch((thrown) => thrown)
    expect(error.code).toBe('ERR_KEY_UNUSABLE')
    expect(error.message).toMatch(message)
    const told = inspect(error, { depth: 9 })
    for (const jwk of [file.placement, ...file.mac, ...file.signing, ...other.mac])
      for (const part of [jwk.k, jwk.d]) if (part) expect(told).not.toContain(part)
    expect(keyring.version).toBe(1)
    expect(issued.ok && (await sessions.verify(issued.accessToken)).ok).toBe(true)
    expect((await sessions.issue({ subject: 'ada' })).ok).toBe(true)
    await sessions.close()
  })

  test('all keys of an algorithm retired is a leak, and is obeyed: nothing is signed with them any more', async () => {
    const keyring = await loadKeyring(file)
    const sessions = createSessions({
      strategy: stateless({ ...jwt, alg: 'ES256', refresh: false }),
      keyring,
      timeouts,
    })
    const issued = await sessions.issue({ subject: 'ada' })
    const leaked = edited(file, (copy) => {
      for (const key of copy.signing) key.state = 'retired'
    })
    expect(await keyring.reload(leaked)).toBe(true)
    expect(issued.ok && (await sessions.verify(issued.accessToken)).ok).toBe(false)
    await expect(sessions.issue({ subject: 'ada' })).rejects.toMatchObject({ code: 'ERR_KEY_NOT_FOUND' })
  })

  test('sessions that were closed have no say', async () => {
    const keyring = await loadKeyring(file)
    const strategy = stateless({ ...jwt, alg: 'ES256', refresh: false })
    await createSessions({ strategy, keyring, timeouts }).close()
    const idle = edited(file, (copy) => (copy.signing[1]!.state = 'retiring'))
    expect(await keyring.reload(idle)).toBe(true)
  })
})

describe('where the content comes from', () => {
  test('a file: read again at each call, half a file is refused, and the next one is taken', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-reload-'))
    const path = join(folder, 'keys.json')
    const first = generateKeyring()
    const put = (text: string) => writeFileSync(path, text)
    put(JSON.stringify(first))
    const keyring = await loadKeyring(path)
    expect(await keyring.reload()).toBe(false)
    // Another spelling is no other content.
    put(JSON.stringify(first, null, 2))
    expect([await keyring.reload(), keyring.version]).toEqual([false, 1])

    const next = JSON.stringify(rotated(first))
    put(next.slice(0, -10))
    await expect(keyring.reload()).rejects.toMatchObject({ code: 'ERR_KEY_UNUSABLE' })
    rmSync(path)
    await expect(keyring.reload()).rejects.toMatchObject({ code: 'ERR_KEY_NOT_FOUND' })
    put(next)
    // Many at once: one takes it up.
    const taken = await Promise.all(Array.from({ length: 8 }, () => keyring.reload()))
    expect(taken.filter(Boolean)).toHaveLength(1)
    expect([keyring.version, keyring.kids.length]).toEqual([2, 9])
    await expect(keyring.reload(first)).rejects.toMatchObject({ code: 'ERR_INPUT_INVALID' })
    rmSync(folder, { recursive: true })
  })

  test('an object: the content has to be given', async () => {
    const keyring = await loadKeyring(generateKeyring())
    await expect(keyring.reload()).rejects.toMatchObject({ code: 'ERR_INPUT_INVALID' })
  })
})
