/// <reference lib="dom" />
// The same page under each strategy, and what a revocation is worth there.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { STRATEGIES } from '../shared/types.ts'
import { delayOf, openSite, openStage, type Site, type Stage, withinASecond } from './site.ts'

let stage: Stage
beforeAll(async () => {
  stage = await openStage()
})
afterAll(() => stage?.close())

/** What becomes of a copied access token once its session has been ended. */
const AFTER: Readonly<Record<string, string>> = {
  stateless: 'Accepted',
  denylist: 'Refused (banned)',
  allowlist: 'Refused (banned)',
}

/** What a token from before gets that was issued to an admin, who is none any more. */
const DEMOTED: Readonly<Record<string, number>> = { opaque: 403, stateless: 204, denylist: 401, allowlist: 403 }

describe.each(STRATEGIES)('%s', (strategy) => {
  let site: Site
  beforeAll(async () => {
    site = await openSite(stage, { strategy })
  })
  afterAll(() => site?.close())

  test('a ban closes all pages at once, and a copy of the token is worth what the page says', async () => {
    const lin = await site.person()
    await lin.logIn('lin', '/strategy')
    await lin.page.reload()
    if (strategy === 'opaque') {
      await lin.says('There is nothing to copy.')
      const [cookie] = await lin.context.cookies()
      expect(cookie).toMatchObject({ name: '__Host-microblog-access', httpOnly: true, secure: true })
    } else {
      await lin.button('Copy my access token').click()
      await lin.says('Accepted')
    }
    const tab = await lin.context.newPage()
    await tab.goto('/devices')
    await tab.getByText('This device').waitFor()

    const { subject } = (await site.accounts.find('lin'))!
    withinASecond(`${strategy}, banned`, await delayOf(lin.page, 'You were banned.', () => site.accounts.ban(subject)))
    await tab.getByText('You were banned.').waitFor()
    if (strategy !== 'opaque') {
      const copy = lin.page.getByRole('complementary')
      // Tried again since.
      await copy.getByText(/after ([2-9]|\d\d+) s/).waitFor()
      await copy.getByText(AFTER[strategy]!).waitFor()
    }
    // No strategy renews it.
    await lin.page.reload()
    await lin.button('Log in').waitFor()
    expect(await site.leave()).toEqual([])
  })

  test('a logout, and a role that was taken away', async () => {
    const uma = await site.person()
    await uma.logIn('uma')
    await uma.button('Log out').click()
    await uma.says('You are logged out.')
    expect(await uma.context.cookies()).toEqual([])

    const [grace, mo] = await Promise.all(['grace', 'mo'].map((name) => site.accounts.find(name)))
    const issued = await site.sessions.issue({ subject: grace!.subject, roles: ['admin'] })
    if (!issued.ok) throw new Error('refused')
    const ban = async () => {
      const headers = { authorization: `Bearer ${issued.accessToken}` }
      return (await fetch(`${site.url}/api/people/${mo!.subject}/ban`, { method: 'PUT', headers })).status
    }
    expect(await ban()).toBe(204)
    await site.accounts.setRoles(grace!.subject, ['user'])
    expect(await ban()).toBe(DEMOTED[strategy])
    expect(await site.leave()).toEqual([])
  })
})
