/// <reference lib="dom" />
// What people do with the microblog, in a real Chromium, on the real stack.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { count } from '../../../tools/test-support/counts.ts'
import { PASSWORD } from '../server/seed.ts'
import {
  delayOf,
  isSameDocument,
  openSite,
  openStage,
  type Person,
  type Site,
  type Stage,
  withinASecond,
} from './site.ts'

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

async function signedIn(name: string, at?: string): Promise<Person> {
  const one = await site.person()
  await one.logIn(name, at)
  return one
}
/** Nobody's session is left, so that each test has the devices for itself. */
async function fresh(name: string): Promise<string> {
  const account = await site.accounts.find(name)
  await site.sessions.revokeAll(account!.subject, { reason: 'logout' })
  return account!.subject
}

describe('posts', () => {
  test('somebody registers, writes and likes, and another browser sees it without a reload', async () => {
    await fresh('uma')
    const uma = await signedIn('uma')
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
    await fresh('uma')
    const { page, context, button } = await signedIn('uma')
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
    await fresh('uma')
    const one = await site.person()
    await one.logIn('uma', site.url.replace('127.0.0.1', 'localhost'))
    await one.page.reload()
    await one.button('Log out').waitFor()
  })

  test('nobody is led to another site after the login', async () => {
    await fresh('uma')
    const one = await site.person()
    for (const to of ['https://evil.example/', '//evil.example/', 'javascript:alert(1)']) {
      await one.page.goto(`/login?returnTo=${encodeURIComponent(to)}`)
      await one.enter('uma')
      await one.button('Log out').click()
      await one.says('You are logged out.')
      expect(new URL(one.page.url()).origin).toBe(site.url)
    }
  })
})

/** Must show 2, again and again. */
const ROUNDS = Array.from({ length: count(1, 10) }, (_, round) => round + 1)

describe.each(ROUNDS)('devices, round %i', () => {
  test('the list says which device is this one, ends another, and that page closes', async () => {
    await fresh('lin')
    const phone = await signedIn('lin')
    const laptop = await signedIn('lin', '/devices')
    const other = laptop.page.getByRole('article').filter({ hasNotText: 'This device' })
    await other.waitFor()
    expect(await laptop.card('This device').count()).toBe(1)
    const ms = await delayOf(phone.page, 'logged out from another one', () =>
      ended(laptop, () => laptop.button('End session', other).click()),
    )
    withinASecond('device ended', ms)
    expect(await isSameDocument(phone.page)).toBe(true)
    await other.waitFor({ state: 'detached' })
    expect(await laptop.page.getByRole('article').count()).toBe(1)
  })

  test('a session of somebody else cannot be ended', async () => {
    await fresh('lin')
    await signedIn('lin')
    const issued = await site.sessions.issue({ subject: 'somebody else' })
    const token = await site.sessions.issue({ subject: (await site.accounts.find('lin'))!.subject })
    if (!issued.ok || !token.ok) throw new Error('refused')
    const answer = await fetch(`${site.url}/api/devices/${issued.session.sessionId}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${token.accessToken}` },
    })
    expect(answer.status).toBe(404)
    expect((await site.sessions.verify(issued.accessToken)).ok).toBe(true)
  })

  test('log out everywhere closes every page of the account', async () => {
    await fresh('lin')
    const phone = await signedIn('lin')
    const laptop = await signedIn('lin', '/devices')
    const ms = await delayOf(phone.page, 'logged out on all devices', () =>
      ended(laptop, () => laptop.button('Log out everywhere').click()),
    )
    withinASecond('logged out everywhere', ms)
    await laptop.says('You were logged out on all devices.')
    expect(await isSameDocument(phone.page)).toBe(true)
  })

  test('one device more than three closes the oldest, and says why', async () => {
    const subject = await fresh('lin')
    const oldest = await signedIn('lin', '/devices')
    for (let device = 2; device <= 3; device++) await site.sessions.issue({ subject, roles: ['user'] })
    const ms = await delayOf(oldest.page, 'because there were too many', () => site.sessions.issue({ subject }))
    withinASecond('over the limit', ms)
    expect(await isSameDocument(oldest.page)).toBe(true)
  })
})

describe.each(ROUNDS)('roles, round %i', () => {
  test('a moderator bans somebody: the open page closes, the login is refused, and works again after the ban is lifted', async () => {
    await Promise.all([fresh('lin'), fresh('mo')])
    const [mo, lin] = [await signedIn('mo', '/people'), await signedIn('lin')]
    const card = mo.page.getByRole('article', { name: 'lin' })
    const ms = await delayOf(lin.page, 'You were banned.', () => ended(mo, () => mo.button('Ban', card).click()))
    withinASecond('banned', ms)
    expect(await isSameDocument(lin.page)).toBe(true)
    await lin.enter('lin')
    await lin.says('This account is banned.')
    await mo.button('Lift the ban', card).click()
    await mo.button('Ban', card).waitFor()
    await lin.enter('lin')
    await lin.button('Log out').waitFor()
  })

  test('a demoted admin loses the buttons and the right at once', async () => {
    const [, subject] = await Promise.all([fresh('ada'), fresh('grace')])
    await site.accounts.setRoles(subject, ['admin'])
    const [ada, grace] = [await signedIn('ada', '/people'), await signedIn('grace', '/people')]
    await grace.button('Ban', grace.page.getByRole('article', { name: 'mo' })).waitFor()
    const right = grace.page.getByLabel('Role of grace')
    expect(await right.count()).toBe(0)
    // What a script would have kept: the token from before.
    const request = grace.page.waitForRequest('**/api/people')
    await grace.page.reload()
    const { authorization } = (await request).headers()
    await grace.button('Ban', grace.page.getByRole('article', { name: 'mo' })).waitFor()
    await grace.page.evaluate(() => void Object.assign(window, { isMarked: true }))

    const role = ada.page.getByLabel('Role of grace')
    const ms = await delayOf(grace.page, 'This page is for moderators', () =>
      ended(ada, () => role.selectOption('user')),
    )
    withinASecond('demoted', ms)
    expect(await isSameDocument(grace.page)).toBe(true)
    expect(await grace.link('People').count()).toBe(0)
    const mo = (await site.accounts.find('mo'))!.subject
    const late = await fetch(`${site.url}/api/people/${mo}/ban`, {
      method: 'PUT',
      headers: { authorization: authorization! },
    })
    expect(late.status).toBe(403)
  })

  test('who may not do something is refused by the server, whatever the page shows', async () => {
    await fresh('mo')
    const [mo, ada] = await Promise.all(['mo', 'ada'].map(async (name) => (await site.accounts.find(name))!.subject))
    const token = async (subject: string, role: 'user' | 'moderator') => {
      const issued = await site.sessions.issue({ subject, roles: [role] })
      if (!issued.ok) throw new Error('refused')
      return { authorization: `Bearer ${issued.accessToken}`, 'content-type': 'application/json' }
    }
    const put = async (path: string, headers: Record<string, string>, body = '{}') =>
      (await fetch(site.url + path, { method: 'PUT', headers, body })).status
    const user = await token('a user', 'user')
    const moderator = await token(mo!, 'moderator')
    expect(await put(`/api/people/${mo}/ban`, user)).toBe(403)
    expect(await put(`/api/people/${ada}/ban`, moderator)).toBe(403)
    expect(await put(`/api/people/${mo}/ban`, moderator)).toBe(403)
    expect(await put(`/api/people/${mo}/role`, moderator, '{"role":"admin"}')).toBe(403)
    expect((await fetch(`${site.url}/api/posts`)).status).toBe(401)
  })
})

/** Does something, and waits until the server has acknowledged it. */
async function ended({ page }: Person, act: () => Promise<unknown>): Promise<void> {
  const answered = page.waitForResponse((response) => response.request().method() !== 'GET')
  await act()
  const response = await answered
  expect(response.status()).toBe(204)
}
