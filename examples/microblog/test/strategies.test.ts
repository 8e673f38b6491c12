/// <reference lib="dom" />
// The same page under each strategy, and what a revocation is worth there.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { STRATEGIES } from '../shared/types.ts'
import { delayOf, openSite, openStage, type Stage, withinASecond } from './site.ts'

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

describe.concurrent.each(STRATEGIES)('%s', (strategy) => {
  test('a ban closes the page at once; a copy of the token is worth what the page says', async () => {
    const site = await openSite(stage, { strategy })
    try {
      const lin = await site.person()
      await lin.logIn('lin', '/strategy')
      const subject = (await site.accounts.find('lin'))!.subject
      if (strategy === 'opaque') {
        await lin.says('There is nothing to copy.')
        const [cookie] = await lin.context.cookies()
        expect(cookie).toMatchObject({ name: '__Host-microblog-access', httpOnly: true, secure: true })
      } else {
        await lin.button('Copy my access token').click()
        await lin.says('Accepted')
      }
      const ms = await delayOf(lin.page, 'You were banned.', () => site.accounts.ban(subject))
      withinASecond(`${strategy}, banned`, ms)
      const copy = lin.page.getByRole('complementary')
      if (strategy !== 'opaque') {
        // Tried again since.
        await copy.getByText(/after [2-9] s/).waitFor()
        await copy.getByText(AFTER[strategy]!).waitFor()
      }
      // No strategy renews it.
      await lin.page.reload()
      await lin.button('Log in').waitFor()
      expect(await site.leave()).toEqual([])
    } finally {
      await site.close()
    }
  })

  test('a reload, a second tab and a logout', async () => {
    const site = await openSite(stage, { strategy })
    try {
      const uma = await site.person()
      await uma.logIn('uma')
      await uma.page.reload()
      await uma.button('Log out').waitFor()
      const tab = await uma.context.newPage()
      await tab.goto('/devices')
      await tab.getByText('This device').waitFor()
      await uma.button('Log out').click()
      await tab.getByText('You are logged out.').waitFor()
      expect(await uma.context.cookies()).toEqual([])
      expect(await site.leave()).toEqual([])
    } finally {
      await site.close()
    }
  })
  test('a role that was taken away, and a token from before', async () => {
    const site = await openSite(stage, { strategy })
    try {
      const [grace, lin] = await Promise.all(['grace', 'lin'].map((name) => site.accounts.find(name)))
      const issued = await site.sessions.issue({ subject: grace!.subject, roles: ['admin'] })
      if (!issued.ok) throw new Error('refused')
      const ban = async () => {
        const headers = { authorization: `Bearer ${issued.accessToken}` }
        return (await fetch(`${site.url}/api/people/${lin!.subject}/ban`, { method: 'PUT', headers })).status
      }
      expect(await ban()).toBe(204)
      await site.accounts.setRoles(grace!.subject, ['user'])
      expect(await ban()).toBe(DEMOTED[strategy])
    } finally {
      await site.close()
    }
  })
})
