// Session data outlives the release of the application that wrote it: the schema brings it up to date when it is read.
import { allowlist, createSessions, createVerifier, generateKeyring, loadKeyring, opaque } from 'countersign'
import { memoryStore } from 'countersign/stores/memory'
import { beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'

const jwt = { issuer: 'https://auth.test', audience: 'https://api.test' }
const common = { timeouts: { idle: '30m', absolute: '7d' } as const }

/** A cart was a list of names, and has numbers now. */
const Old = z.object({ items: z.array(z.string()) })
const New = z
  .union([Old, z.object({ counts: z.record(z.string(), z.number()) })])
  .transform((cart) => ('counts' in cart ? cart : { counts: Object.fromEntries(cart.items.map((item) => [item, 1])) }))
/** The old form, of a release that has to live beside the new one. */
const Between = z
  .union([Old, z.object({ counts: z.record(z.string(), z.number()) })])
  .transform((cart) => ('items' in cart ? cart : { items: Object.keys(cart.counts) }))

let runs = 0
const counting = <S extends z.ZodType>(schema: S) =>
  ({
    '~standard': {
      ...schema['~standard'],
      validate(value: unknown) {
        runs++
        return schema['~standard'].validate(value)
      },
    },
  }) as unknown as S

describe('dataVersion', () => {
  let store: ReturnType<typeof memoryStore>
  let keyring: Awaited<ReturnType<typeof loadKeyring>>
  beforeEach(async () => {
    store = memoryStore()
    keyring = await loadKeyring(generateKeyring())
    runs = 0
  })
  const strategy = allowlist(jwt)
  const older = () => createSessions({ strategy, store, keyring, ...common, data: counting(Old) })
  const newer = () => createSessions({ strategy, store, keyring, ...common, data: counting(New), dataVersion: 2 })
  const opened = async () => {
    const issued = await older().issue({ subject: 'ada', data: { items: ['tea'] } })
    if (!issued.ok) throw new Error(issued.reason)
    runs = 0
    return { ...issued, id: issued.session.sessionId }
  }
  const stored = async (id: Parameters<typeof store.sessions.read>[0]) => {
    const found = await store.sessions.read(id)
    return found.is === 'live' ? [found.record.dataVersion, found.record.data] : found.is
  }

  test('a record of the version before is brought up to date by every read, and written by the next update', async () => {
    const { accessToken, refreshToken, id } = await opened()
    const sessions = newer()
    const current = { counts: { tea: 1 } }
    const verified = await sessions.verify(accessToken)
    expect(verified.ok && verified.session.data).toEqual(current)
    expect(verified.ok && Object.isFrozen(verified.session.data)).toBe(true)
    const refreshed = await sessions.refresh(refreshToken)
    expect(refreshed.ok && refreshed.session.data).toEqual(current)
    const got = await sessions.get(id)
    expect(got.ok && got.session.data).toEqual(current)
    for await (const session of sessions.list('ada')) expect(session.data).toEqual(current)
    expect((await sessions.explain(id)).session?.data).toEqual(current)
    const elsewhere = createVerifier({ keys: keyring, ...jwt, records: store, data: New, dataVersion: 2 })
    const checked = await elsewhere.verify(accessToken)
    expect(checked.ok && checked.session.data).toEqual(current)
    expect(runs).toBe(5)
    expect(await stored(id)).toEqual([undefined, '{"items":["tea"]}'])

    await sessions.update(id, ({ counts }) => ({ counts: { ...counts, tea: 2 } }))
    expect(await stored(id)).toEqual([2, '{"counts":{"tea":2}}'])
    runs = 0
    await sessions.verify(accessToken)
    expect(runs).toBe(0)

    const stepped = await sessions.stepUp(id, { acr: 'aal2', amr: ['otp'] })
    expect(stepped.ok && stepped.session.data).toEqual({ counts: { tea: 2 } })
    expect(stepped.ok && (await stored(stepped.session.sessionId))).toEqual([2, '{"counts":{"tea":2}}'])
    expect(runs).toBe(0)
  })

  test('never on a hot read of the version in force', async () => {
    const { accessToken } = await opened()
    const sessions = older()
    for (let i = 0; i < 3; i++) await sessions.verify(accessToken)
    expect(runs).toBe(0)
  })

  test('two releases of an application side by side, forward and back: nobody is logged out, nothing is lost', async () => {
    const { id } = await opened()
    const between = createSessions({ strategy, store, keyring, ...common, data: Between })
    for (let i = 0; i < 4; i++) {
      await newer().update(id, ({ counts }) => ({ counts: { ...counts, [`new ${i}`]: 1 } }))
      await between.update(id, ({ items }) => ({ items: [...items, `old ${i}`] }))
    }
    const last = await newer().get(id)
    expect(last.ok && Object.keys(last.session.data!.counts)).toEqual([
      'tea',
      ...[0, 1, 2, 3].flatMap((i) => [`new ${i}`, `old ${i}`]),
    ])
  })

  test('a schema that does not take the other version is a fault that names both, and no logout', async () => {
    const { accessToken, refreshToken, id } = await opened()
    await newer().update(id, (cart) => cart)
    const sessions = older()
    const fault = {
      code: 'ERR_FORMAT_UNKNOWN',
      message: 'the data of a session has version 2 and does not fit the schema of version 1 (1 issues)',
    }
    await expect(sessions.verify(accessToken)).rejects.toMatchObject(fault)
    await expect(sessions.get(id)).rejects.toMatchObject(fault)
    await expect(sessions.update(id, (cart) => cart)).rejects.toMatchObject(fault)
    await expect(sessions.refresh(refreshToken)).rejects.toMatchObject(fault)
    // Whoever knows it goes on, with the same session.
    expect((await newer().verify(accessToken)).ok).toBe(true)
    expect((await newer().refresh(refreshToken)).ok).toBe(true)
    expect((await sessions.revoke(id, { reason: 'logout' })).ended).toBe(1)
  })

  test('opaque sessions too, and sessions without data', async () => {
    const dataFor = async (data: { data?: typeof Old }, value?: z.infer<typeof Old>) => {
      const made = await createSessions({ strategy: opaque(), store, keyring, ...common, ...data }).issue({
        subject: 'bob',
        data: value as never,
      })
      const sessions = createSessions({ strategy: opaque(), store, keyring, ...common, data: New, dataVersion: 2 })
      const checked = made.ok ? await sessions.verify(made.accessToken) : made
      if (!checked.ok) throw new Error(checked.reason)
      return checked.session.data
    }
    expect(await dataFor({ data: Old }, { items: ['a'] })).toEqual({ counts: { a: 1 } })
    expect(await dataFor({})).toBeUndefined()
  })

  test.each([0, 1.5, 65_536, '2'])('%s is no version', (dataVersion) => {
    const options = { strategy, store, keyring, ...common, data: Old, dataVersion: dataVersion as number }
    expect(() => createSessions(options)).toThrow(/"dataVersion"/)
  })

  test('needs a schema', () => {
    expect(() => createSessions({ strategy, store, keyring, ...common, dataVersion: 2 })).toThrow(/"dataVersion" needs/)
    const trust = { keys: keyring, ...jwt, dataVersion: 2 }
    expect(() => createVerifier(trust as never)).toThrow(/"dataVersion" needs "records"/)
  })
})
