// What a release stored and handed out is good under the present code; and the present code stores the same, or says so.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type KeyringFile, loadKeyring } from 'countersign'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Dump, GOLDEN_STORES } from './stores.ts'
import { type Held, layersOver, madeUpRuntime, reset, tell } from './story.ts'

const here = import.meta.dirname
const read = (release: string, name: string) => JSON.parse(readFileSync(join(here, release, name), 'utf8'))
const releases = readdirSync(here)
  .filter((name) => existsSync(join(here, name, 'keyring.json')))
  .sort((a, b) => Number(a) - Number(b))
const newest = releases.at(-1)!

const CHANGED = `The stored form is not that of release ${newest} any more. Read packages/countersign/test/golden/README.md before you go on.`

describe.each(Object.entries(GOLDEN_STORES))('%s', (name, open) => {
  test.each(releases)('whoever logged in under release %s still is, and their data is there', async (release) => {
    const { held, dump } = read(release, `${name}.json`) as { held: Held; dump: Dump }
    const { runtime, advance } = madeUpRuntime('later')
    const golden = await open(runtime)
    onTestFinished(() => golden.dispose())
    const keyring = await loadKeyring(read(release, 'keyring.json') as KeyringFile)
    const layers = layersOver(golden.store, keyring, runtime)
    await layers.allow.ready()
    await golden.load(dump)
    advance(3 * 60_000)
    const { allow, opaque, deny, sealed, signed, oneTime, serviceTokens } = layers
    const { ada, bob, eve } = held

    const phone = await allow.verify(ada.phone.accessToken, { roles: ['moderator'] })
    expect(phone).toMatchObject({
      ok: true,
      session: {
        sessionId: ada.phone.id,
        subject: 'ada@example.com',
        tenant: 'acme',
        roles: ['user', 'moderator'],
        acr: 'aal2',
        amr: ['pwd', 'otp'],
        device: { id: 'phone', label: "Ada's phone", class: 'mobile' },
        delivery: 'bearer',
        persistent: true,
        data: { items: ['tea', 'ünïcode 😀', 'cake'] },
        version: 2,
        origin: { ip: '198.51.100.9' },
      },
    })
    // From before the roles that came with the rotation.
    expect(await allow.verify(ada.before.accessToken)).toMatchObject({ reason: 'superseded', remedy: 'refresh' })
    const devices = []
    for await (const { sessionId } of allow.list({ subject: 'ada@example.com', tenant: 'acme' }))
      devices.push(sessionId)
    expect(devices.sort()).toEqual([ada.phone.id, ada.laptop.id].sort())
    expect((await allow.verify(ada.laptop.accessToken)).ok).toBe(true)
    expect((await opaque.verify(bob.accessToken)).ok).toBe(true)
    expect((await deny.verify(eve.live.accessToken)).ok).toBe(true)
    expect(await deny.verify(eve.ended.accessToken)).toMatchObject({ reason: 'ended', endedBy: 'logout' })
    expect(await deny.verify(eve.denied.accessToken)).toMatchObject({ reason: 'ended' })
    expect(await deny.issue({ subject: 'mallory', data: { items: [] } })).toMatchObject({ reason: 'blocked' })
    expect((await sealed.verify(held.sealed.accessToken)).ok).toBe(true)
    expect((await signed.verify(held.signed)).ok).toBe(true)
    expect(serviceTokens.read(held.service)).toMatchObject({ sub: 'orders', scope: 'read' })
    expect(await oneTime.redeem(held.link, reset)).toMatchObject({ ok: true, subject: 'bob', data: 'next page' })
    const { store } = layers
    const owner = await store.accounts.subjectOf({ identifier: 'ada@example.com', tenant: 'acme' })
    expect(await store.accounts.bySubject(owner!)).toMatchObject({ version: 1, roles: ['user'], unsettled: null })
    expect(
      await store.once.claim('assertion:orders', 'f3b1c2d4', runtime.clock.nowMs() + 1, runtime.clock.nowMs()),
    ).toBe(false)

    // And it goes on: a lost answer is repeated, the operation is known, the roles that waited come.
    const repeated = await allow.refresh(ada.before.refreshToken!)
    expect(repeated).toMatchObject({ ok: true, rotation: 'replayed', refreshToken: ada.phone.refreshToken })
    const again = await allow.update(ada.phone.id, () => ({ items: [] }), { operationId: 'op-1' })
    expect(again).toMatchObject({ ok: true, session: { data: { items: ['tea', 'ünïcode 😀', 'cake'] } } })
    advance(60_000)
    const renewed = await allow.refresh(ada.phone.refreshToken!)
    expect(renewed).toMatchObject({ ok: true, rotation: 'rotated', session: { roles: ['user', 'moderator', 'admin'] } })
    expect((await deny.refresh(eve.live.refreshToken!)).ok).toBe(true)
    await allow.update(ada.phone.id, ({ items }) => ({ items: items.slice(1) }))
    expect(await allow.get(ada.phone.id)).toMatchObject({ session: { data: { items: ['ünïcode 😀', 'cake'] } } })
    expect((await allow.revokeAll({ subject: 'ada@example.com', tenant: 'acme' }, { reason: 'logout' })).ended).toBe(2)
    expect(await allow.refresh(ada.laptop.refreshToken!)).toMatchObject({ reason: 'ended', endedBy: 'logout' })
    await Promise.all([allow, opaque, deny, sealed, signed].map((sessions) => sessions.close()))
  })

  test('the present code stores byte by byte what the newest release stored', async () => {
    const { held, dump } = read(newest, `${name}.json`) as { held: Held; dump: Dump }
    const { runtime, advance } = madeUpRuntime(newest)
    const golden = await open(runtime)
    onTestFinished(() => golden.dispose())
    const keyring = await loadKeyring(read(newest, 'keyring.json') as KeyringFile)
    const layers = layersOver(golden.store, keyring, runtime)
    const now = await tell(layers, advance)
    expect(await golden.dump(), CHANGED).toEqual(dump)
    // ECDSA draws random numbers of its own.
    expect({ ...now, signed: '' }, CHANGED).toEqual({ ...held, signed: '' })
  })
})
