/// <reference lib="dom" />
// What people do to each other's sessions, and to their own on other devices: the open page changes without a reload.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { count } from '../../../tools/test-support/counts.ts'
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

/** Must show 2, again and again. */
const ROUNDS = Array.from({ length: count(1, 10) }, (_, round) => round + 1)

describe.each(ROUNDS)('devices, round %i', () => {
  test('the list says which device is this one, ends another, and that page closes', async () => {
    await site.fresh('lin')
    const phone = await site.signedIn('lin')
    const laptop = await site.signedIn('lin', '/devices')
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
    await site.fresh('lin')
    const phone = await site.signedIn('lin')
    const laptop = await site.signedIn('lin', '/devices')
    const ms = await delayOf(phone.page, 'logged out on all devices', () =>
      ended(laptop, () => laptop.button('Log out everywhere').click()),
    )
    withinASecond('logged out everywhere', ms)
    await laptop.says('You were logged out on all devices.')
    expect(await isSameDocument(phone.page)).toBe(true)
  })

  test('one device more than three closes the oldest, and says why', async () => {
    const subject = await site.fresh('lin')
    const oldest = await site.signedIn('lin', '/devices')
    for (let device = 2; device <= 3; device++) await site.sessions.issue({ subject, roles: ['user'] })
    const ms = await delayOf(oldest.page, 'because there were too many', () => site.sessions.issue({ subject }))
    withinASecond('over the limit', ms)
    expect(await isSameDocument(oldest.page)).toBe(true)
  })
})

describe.each(ROUNDS)('roles, round %i', () => {
  test('a moderator bans somebody: the open page closes, the login is refused, and works again after the ban is lifted', async () => {
    await Promise.all([site.fresh('lin'), site.fresh('mo')])
    const [mo, lin] = [await site.signedIn('mo', '/people'), await site.signedIn('lin')]
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
    const [, subject] = await Promise.all([site.fresh('ada'), site.fresh('grace')])
    await site.accounts.setRoles(subject, ['admin'])
    const [ada, grace] = [await site.signedIn('ada', '/people'), await site.signedIn('grace', '/people')]
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

  test('a server beside this one, on the same Redis: news and bans cross over', async () => {
    await Promise.all([site.fresh('lin'), site.fresh('mo')])
    const other = await site.another()
    try {
      const lin = await site.signedIn('lin')
      const mo = await site.person({ baseURL: other.url })
      await mo.logIn('mo')
      await mo.page.getByLabel('What is new?').fill('from over there')
      await mo.button('Post').click()
      await lin.card('from over there').first().waitFor()
      await mo.link('People').click()
      const card = mo.page.getByRole('article', { name: 'lin' })
      const ms = await delayOf(lin.page, 'You were banned.', () => ended(mo, () => mo.button('Ban', card).click()))
      withinASecond('banned on another server', ms)
      await mo.button('Lift the ban', card).click()
      await mo.button('Ban', card).waitFor()
      expect(await site.leave()).toEqual([])
    } finally {
      await other.close()
    }
  })

  test('who may not do something is refused by the server, whatever the page shows', async () => {
    await site.fresh('mo')
    const [mo, ada] = await Promise.all(['mo', 'ada'].map(async (name) => (await site.accounts.find(name))!.subject))
    const token = async (subject: string, role: 'user' | 'moderator') => {
      const issued = await site.sessions.issue({ subject, roles: [role] })
      if (!issued.ok) throw new Error('refused')
      return { authorization: `Bearer ${issued.accessToken}`, 'content-type': 'application/json' }
    }
    const post = (await site.repository.addPost(ada!, 'of ada')).id
    const user = await token('a user', 'user')
    const moderator = await token(mo!, 'moderator')
    const ask = async (method: string, path: string, headers: Record<string, string>, body = '{}') =>
      (await fetch(site.url + path, { method, headers, ...(method !== 'GET' && { body }) })).status
    expect(await ask('GET', '/api/people', user)).toBe(403)
    expect(await ask('PUT', `/api/people/${mo}/ban`, user)).toBe(403)
    expect(await ask('DELETE', `/api/posts/${post}`, user)).toBe(403)
    expect(await ask('PUT', `/api/people/${ada}/ban`, moderator)).toBe(403)
    expect(await ask('PUT', `/api/people/${mo}/ban`, moderator)).toBe(403)
    expect(await ask('PUT', `/api/people/${ada}/role`, moderator, '{"role":"user"}')).toBe(403)
    expect(await ask('DELETE', `/api/posts/${post}`, moderator)).toBe(204)
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
