/// <reference lib="dom" />
// The same page under each strategy, and what a revocation is worth there.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { STRATEGIES } from '../shared/types.ts'
import { delayOf, openSite, openStage, type Stage } from './site.ts'

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
      console.log(`${strategy}: banned, the page changed ${ms} ms after the acknowledgement`)
      expect(ms).toBeLessThan(1_000)
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
})
