import { CountersignError } from 'countersign'
import { memoryStore } from 'countersign/stores/memory'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { accountsOf, argon2, CHEAP, gate, identifier, type Kit, kitOn, newcomer, PASSWORD } from './kit.ts'

/** How passwords are taken and hashed; the store makes no difference here. */
describe('passwords', () => {
  let kit: Kit
  beforeAll(async () => {
    kit = await kitOn(memoryStore())
    await kit.accounts.ready()
  })
  afterEach(() => {
    vi.restoreAllMocks()
  })
  const attempt = async (registered: string, presented: string) => {
    const { identifier: name } = await newcomer(kit, { password: registered })
    return (await kit.accounts.authenticate({ identifier: name, password: presented })).ok
  }

  describe('are verified exactly as they were received (ASVS 6.2.8)', () => {
    const long = `${PASSWORD}-`.repeat(4).slice(0, 72)
    test.each([
      ['a trailing space', PASSWORD, `${PASSWORD} `],
      ['a leading space', ` ${PASSWORD}`, PASSWORD],
      ['case', PASSWORD, PASSWORD.toUpperCase()],
      ['what follows a NUL', `${PASSWORD}\0a`, `${PASSWORD}\0b`],
      ['a NUL at the end', PASSWORD, `${PASSWORD}\0`],
      ['the 73rd byte', `${long}wobble-a`, `${long}wobble-b`],
      ['normal forms', `${PASSWORD}é`, `${PASSWORD}e\u0301`],
      ['full-width forms', PASSWORD, PASSWORD.replace('p', 'ｐ')],
    ])('%s matters', async (_, one, other) => {
      expect(await attempt(one, one)).toBe(true)
      expect(await attempt(one, other)).toBe(false)
    })

    test('half a surrogate pair, which has no bytes of its own, is nobody’s password', async () => {
      const hash = vi.spyOn(argon2, 'hash')
      const verify = vi.spyOn(argon2, 'verify')
      const password = `${PASSWORD}\ud800`
      expect(await kit.accounts.register({ identifier: identifier(), password })).toEqual({
        ok: false,
        reason: 'password_refused',
      })
      expect(hash).not.toHaveBeenCalled()
      // As bytes, it would be this one.
      const { identifier: name } = await newcomer(kit, { password: `${PASSWORD}\ufffd` })
      expect(await kit.accounts.authenticate({ identifier: name, password })).toMatchObject({ ok: false })
      expect(verify).not.toHaveBeenCalled()
    })
  })

  describe('have a length', () => {
    test('of at least fifteen code points, not bytes and not code units', async () => {
      const register = (password: string) => kit.accounts.register({ identifier: identifier(), password })
      expect(await register('plinth-gavotte')).toEqual({ ok: false, reason: 'password_too_short' })
      expect(await register('plinth-gavotte-')).toMatchObject({ ok: true })
      const signs = ['🐎', '🥁', '🌵', '🧭', '🪁', '🦔', '🍋', '⛵', '🎻', '🪜', '🧵', '🦉', '🥨', '🚲', '🔭']
      expect(signs).toHaveLength(15)
      expect(await register(signs.join(''))).toMatchObject({ ok: true })
      expect(await register(signs.slice(1).join(''))).toEqual({ ok: false, reason: 'password_too_short' })
    })

    test('of at most 1024 bytes, which are all used; one more is refused before anything is hashed', async () => {
      const words = Array.from({ length: 400 }, (_, i) => `w${(i * 7919) % 10_007}`).join(' ')
      const exact = words.slice(0, 1_024)
      expect(await attempt(exact, exact)).toBe(true)
      expect(await attempt(exact, `${exact.slice(0, 1_023)}é`.slice(0, 1_023))).toBe(false)

      const { identifier: name, subject } = await newcomer(kit)
      const hash = vi.spyOn(argon2, 'hash')
      const verify = vi.spyOn(argon2, 'verify')
      const tooLong = `${words.slice(0, 1_023)}é`
      expect(tooLong).toHaveLength(1_024)
      const refused = { ok: false, reason: 'password_too_long' }
      expect(await kit.accounts.register({ identifier: identifier(), password: tooLong })).toEqual(refused)
      expect(await kit.accounts.changePassword({ subject, current: PASSWORD, next: tooLong })).toEqual(refused)
      const denied = { ok: false, reason: 'bad_credentials' }
      expect(await kit.accounts.authenticate({ identifier: name, password: tooLong })).toEqual(denied)
      expect(await kit.accounts.confirm({ subject, password: tooLong })).toEqual(denied)
      expect(await kit.accounts.changePassword({ subject, current: tooLong, next: `${PASSWORD} 2` })).toEqual(denied)
      expect(hash).not.toHaveBeenCalled()
      expect(verify).not.toHaveBeenCalled()
    })

    test.each([64, 128])('of %i characters is fine (ASVS 6.2.9)', async (length) => {
      const password = Array.from({ length }, (_, i) => 'aktpzlqwuemx'[(i * i + 3 * i) % 11]).join('')
      expect(await attempt(password, password)).toBe(true)
    })
  })

  describe('that are easy to guess', () => {
    test('are refused, at registration and at a change, and the current one stays', async () => {
      const refused = { ok: false, reason: 'password_refused' }
      const password = 'password1234567890'
      expect(await kit.accounts.register({ identifier: identifier(), password })).toEqual(refused)
      const { identifier: name, subject } = await newcomer(kit)
      expect(await kit.accounts.changePassword({ subject, current: PASSWORD, next: password })).toEqual(refused)
      expect(await kit.accounts.authenticate({ identifier: name, password: PASSWORD })).toMatchObject({ ok: true })
    })

    test('because they are made of the identifier or the name of the site are refused', async () => {
      const accounts = accountsOf(kit, { passwords: { words: ['Wollensack Fisheries'] } })
      const register = (password: string) => accounts.register({ identifier: 'Thaddeus.Quimby@Example.org', password })
      for (const password of [
        'thaddeus.quimby@example.org',
        'ThaddeusQuimby1',
        'quimby1234567890',
        'WollensackFisheries2026',
        'wollensack-thaddeus',
      ]) {
        expect(await register(password), password).toEqual({ ok: false, reason: 'password_refused' })
      }
      expect(await register('thaddeus hums in the granary')).toMatchObject({ ok: true })
    })

    test('are decided by the option too, which gets the words and is asked before the hash', async () => {
      const asked: [string, readonly string[]][] = []
      const refuse = async (password: string, words: readonly string[]) => {
        asked.push([password, words])
        return password.startsWith('leaked')
      }
      const accounts = accountsOf(kit, { passwords: { refuse, words: ['Harbour'] } })
      const hash = vi.spyOn(argon2, 'hash')
      const name = 'nell@example.org'
      expect(await accounts.register({ identifier: name, password: 'leaked-plinth-gavotte' })).toEqual({
        ok: false,
        reason: 'password_refused',
      })
      expect(hash).not.toHaveBeenCalled()
      expect(await accounts.register({ identifier: name, password: PASSWORD })).toMatchObject({ ok: true })
      expect(asked.map(([password]) => password)).toEqual(['leaked-plinth-gavotte', PASSWORD])
      expect(asked[0]![1]).toEqual(expect.arrayContaining([name, 'nell', 'harbour']))

      const broken = accountsOf(kit, { passwords: { refuse: () => Promise.reject(new Error('the list is down')) } })
      await expect(broken.register({ identifier: identifier(), password: PASSWORD })).rejects.toThrow(
        'the list is down',
      )
    })
  })

  describe('are hashed a bounded number at a time', () => {
    test('of 100 logins at once never more than two hash, 64 wait, and the rest is told to come again', async () => {
      const { identifier: name } = await newcomer(kit)
      let [running, most, hashed] = [0, 0, 0]
      const real = argon2.verify
      vi.spyOn(argon2, 'verify').mockImplementation(async (...input) => {
        hashed++
        most = Math.max(most, ++running)
        try {
          return await real(...input)
        } finally {
          running--
        }
      })
      const answers = await Promise.allSettled(
        Array.from({ length: 100 }, () => kit.accounts.authenticate({ identifier: name, password: PASSWORD })),
      )
      const done = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
      const busy = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []))
      expect({ done: done.length, busy: busy.length, most, hashed }).toEqual({
        done: 66,
        busy: 34,
        most: 2,
        hashed: 66,
      })
      expect(done.every((answer) => answer.ok)).toBe(true)
      for (const error of busy) {
        expect(error).toBeInstanceOf(CountersignError)
        expect(error).toMatchObject({ code: 'ERR_BUSY', retryable: true })
      }
      // Nothing is left behind in the queue.
      expect(await kit.accounts.authenticate({ identifier: name, password: PASSWORD })).toMatchObject({ ok: true })
    })

    test('who waits may leave, and makes room; who hashes is not interrupted', async () => {
      const accounts = accountsOf(kit, { passwords: { concurrency: 1, queue: 1 } })
      await accounts.ready()
      const { identifier: name } = await newcomer(kit)
      const { open, opened } = gate()
      const { open: arrive, opened: arrived } = gate()
      const real = argon2.verify
      const verify = vi.spyOn(argon2, 'verify').mockImplementationOnce(async (...input) => {
        arrive()
        await opened
        return real(...input)
      })
      const call = (signal?: AbortSignal) =>
        accounts.authenticate({ identifier: name, password: PASSWORD, ...(signal && { signal }) })
      const first = new AbortController()
      const second = new AbortController()
      const hashing = call(first.signal)
      await arrived
      const waiting = call(second.signal)
      await new Promise((resolve) => setTimeout(resolve, 20))
      await expect(call()).rejects.toMatchObject({ code: 'ERR_BUSY' })
      second.abort(new Error('gone home'))
      await expect(waiting).rejects.toThrow('gone home')
      const third = call()
      first.abort()
      open()
      expect(await hashing).toMatchObject({ ok: true })
      expect(await third).toMatchObject({ ok: true })
      expect(verify).toHaveBeenCalledTimes(2)
      await expect(call(AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late')
      expect(verify).toHaveBeenCalledTimes(2)
    })

    test('a change of password needs one place for both of its hashes', async () => {
      const accounts = accountsOf(kit, { passwords: { concurrency: 1, queue: 0 } })
      const { subject } = await newcomer(kit)
      const next = `${PASSWORD} 2`
      expect(await accounts.changePassword({ subject, current: PASSWORD, next })).toMatchObject({ ok: true })
    })
  })

  test('a better hash that cannot be stored keeps nobody out', async () => {
    const { identifier: name } = await newcomer(kit)
    const full = {
      ...kit.store.accounts,
      replace: () => Promise.reject(new CountersignError('ERR_STORE_UNAVAILABLE', 'disk full')),
    }
    const accounts = accountsOf(kit, { accounts: full, passwords: { argon2: { memoryKiB: 9_216, passes: 4 } } })
    const events: unknown[] = []
    accounts.events.on('*', (event) => events.push(event))
    expect(await accounts.authenticate({ identifier: name, password: PASSWORD })).toMatchObject({ ok: true })
    expect(events).toMatchObject([
      { type: 'hash_upgrade_failed', code: 'ERR_STORE_UNAVAILABLE' },
      { type: 'authenticated' },
    ])
  })

  test('a hash has the configured cost and a salt of its own', async () => {
    const accounts = accountsOf(kit, { passwords: { argon2: { memoryKiB: 9_216, passes: 4, parallelism: 2 } } })
    const hashes = []
    for (let i = 0; i < 2; i++) {
      const done = await accounts.register({ identifier: identifier(), password: PASSWORD })
      if (!done.ok) return expect.fail(done.reason)
      const ref = await kit.store.accounts.subjectOf({ identifier: done.account.identifier })
      hashes.push((await kit.store.accounts.bySubject(ref!))!.passwordHash)
    }
    const form = /^\$argon2id\$v=19\$m=9216,t=4,p=2\$([A-Za-z0-9+/]{22})\$([A-Za-z0-9+/]{43})$/
    const [a, b] = hashes.map((hash) => form.exec(hash))
    expect(a?.[1]).not.toBe(b?.[1])
    expect(a?.[2]).not.toBe(b?.[2])
    expect(argon2.parseOptions(hashes[0]!)).toMatchObject({
      memoryCost: 9_216,
      timeCost: 4,
      parallelism: 2,
      saltLen: 16,
    })
    expect(await argon2.verify(hashes[0]!, PASSWORD)).toBe(true)
  })

  test('the default cost is the one of OWASP, and the equal ones are accepted', async () => {
    const { store, keyring, sessions } = kit
    const { createAccounts } = await import('countersign/accounts')
    const accounts = createAccounts({ store, keyring, sessions })
    const done = await accounts.register({ identifier: identifier(), password: PASSWORD })
    if (!done.ok) return expect.fail(done.reason)
    const ref = await store.accounts.subjectOf({ identifier: done.account.identifier })
    expect((await store.accounts.bySubject(ref!))!.passwordHash).toContain('$m=19456,t=2,p=1$')
    const costs = [
      [47_104, 1],
      [19_456, 2],
      [12_288, 3],
      [9_216, 4],
      [7_168, 5],
    ] as const
    for (const [memoryKiB, passes] of costs) {
      expect(() => accountsOf(kit, { passwords: { argon2: { memoryKiB, passes } } })).not.toThrow()
      const below = [
        { memoryKiB: memoryKiB - 1, passes },
        { memoryKiB, passes: passes - 1 },
      ]
      for (const argon2 of below) {
        expect(() => accountsOf(kit, { passwords: { argon2 } }), JSON.stringify(argon2)).toThrow(CountersignError)
      }
    }
    expect(CHEAP).toEqual({ memoryKiB: 7_168, passes: 5 })
  })
})
