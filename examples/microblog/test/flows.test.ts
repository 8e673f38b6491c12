/// <reference lib="dom" />
// What people do with the microblog, in a real Chromium, on the real stack.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { PASSWORD } from '../server/seed.ts'
import { isSameDocument, openSite, openStage, type Site, type Stage } from './site.ts'

let stage: Stage
let site: Site
beforeAll(async () => {
  stage = await openStage()
  site = await openSite(stage)
})
afterAll(async () => {
  await site?.close()
  await stage?.close()
})
afterEach(async () => {
  expect(await site?.leave()).toEqual([])
})

describe('posts', () => {
  test('somebody registers, writes and likes, and another browser sees it without a reload', async () => {
    await site.fresh('uma')
    const uma = await site.signedIn('uma')
    const asked: string[] = []
    uma.page.on('request', (request) => asked.push(new URL(request.url()).pathname))
    const neo = await site.person()
    await neo.page.goto('/')
    await neo.link('Register').click()
    await neo.enter('neo', PASSWORD, 'Register')
    await neo.page.getByLabel('What is new?').fill('Hello <b>there</b>, 你好')
    await neo.button('Post').click()

    await uma.card('Hello <b>there</b>, 你好').getByRole('button', { name: 'Like 0' }).click()
    await neo.card('Hello <b>there</b>').getByRole('button', { name: 'Like 1' }).waitFor()
    await uma.card('Hello').getByRole('button', { name: 'Like 1', pressed: true }).click()
    await neo.card('Hello').getByRole('button', { name: 'Like 0' }).waitFor()
    await neo.card('Hello').getByRole('button', { name: 'Remove' }).click()
    await uma.card('Hello').waitFor({ state: 'detached' })
    expect(await isSameDocument(uma.page)).toBe(true)
    // News is pushed: nothing was asked for again but what the page asks for when it is there, and when the stream is.
    expect(asked.filter((path) => path === '/api/posts').length).toBeLessThanOrEqual(2)
  })

  test('what is wrong is said, and nobody gets in by it', async () => {
    const one = await site.person()
    await one.page.goto('/register')
    await one.enter('uma', PASSWORD, 'Register')
    await one.says('Somebody has this name already.')
    await one.enter('someone', 'short', 'Register')
    await one.says('The password is too short.')
    await one.link('Log in').click()
    await one.enter('uma', 'not the password of uma')
    await one.says('Name or password is wrong.')
  })
})

describe('the tokens', () => {
  test('the access token is in no storage; the refresh cookie is HttpOnly, Secure, SameSite=Strict and lasts 7 days; a reload renews', async () => {
    await site.fresh('uma')
    const { page, context, button } = await site.signedIn('uma')
    const [cookie, ...others] = await context.cookies()
    expect(others).toEqual([])
    expect(cookie).toMatchObject({ name: '__Host-microblog-refresh', httpOnly: true, secure: true, sameSite: 'Strict' })
    expect(cookie!.expires - Date.now() / 1_000).toBeGreaterThan(7 * 86_400 - 120)
    expect(cookie!.expires - Date.now() / 1_000).toBeLessThanOrEqual(7 * 86_400)
    const stored = await page.evaluate(() =>
      JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]),
    )
    expect(stored).not.toMatch(/eyJ|cs[ro]_/)
    await page.reload()
    await button('Log out').waitFor()
  })

  test('Chromium keeps the cookies on http://localhost as well as on 127.0.0.1', async () => {
    await site.fresh('uma')
    const one = await site.person()
    await one.logIn('uma', site.url.replace('127.0.0.1', 'localhost'))
    await one.page.reload()
    await one.button('Log out').waitFor()
  })

  test('nobody is led to another site after the login', async () => {
    await site.fresh('uma')
    const one = await site.person()
    for (const to of ['//evil.example/', 'javascript:alert(1)']) {
      await one.page.goto(`/login?returnTo=${encodeURIComponent(to)}`)
      await one.enter('uma')
      await one.button('Log out').click()
      await one.says('You are logged out.')
      expect(new URL(one.page.url()).origin).toBe(site.url)
    }
  })
})
