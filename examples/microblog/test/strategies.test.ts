/// <reference lib="dom" />
// The same page under each strategy, and what a revocation is worth there.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { STRATEGIES, type StrategyName } from '../shared/types.ts'
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

describe.concurrent.each(STRATEGIES)('%s', (strategy) => {
  test('a ban closes all pages at once, and a copy of the token is worth what the page says', () =>
    on(strategy, async (site) => {
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
      withinASecond(
        `${strategy}, banned`,
        await delayOf(lin.page, 'You were banned.', () => site.accounts.ban(subject)),
      )
      await tab.getByText('You were banned.').waitFor()
      if (strategy !== 'opaque') {
        const copy = lin.page.getByRole('complementary')
        // Tried again since.
        await copy.getByText(/after [2-9] s/).waitFor()
        await copy.getByText(AFTER[strategy]!).waitFor()
      }
      // No strategy renews it.
      await lin.page.reload()
      await lin.button('Log in').waitFor()
    }))

  test('a logout, and a role that was taken away', () =>
    on(strategy, async (site) => {
      const uma = await site.person()
      await uma.logIn('uma')
      await uma.button('Log out').click()
      await uma.says('You are logged out.')
      expect(await uma.context.cookies()).toEqual([])

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
    }))
})

/** Nothing may have gone wrong on the pages. */
async function on(strategy: StrategyName, play: (site: Site) => Promise<void>): Promise<void> {
  const site = await openSite(stage, { strategy })
  try {
    await play(site)
    expect(await site.leave()).toEqual([])
  } finally {
    await site.close()
  }
}
