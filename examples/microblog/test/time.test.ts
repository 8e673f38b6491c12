/// <reference lib="dom" />
// What happens by itself: tokens run out, sessions expire, Redis goes away. Each on a site of its own, all at the same time.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { StartOptions } from '../server/start.ts'
import { isSameDocument, openSite, openStage, type Site, type Stage } from './site.ts'

let stage: Stage
beforeAll(async () => {
  stage = await openStage()
})
afterAll(() => stage?.close())

/** On a site of its own. Nothing may have gone wrong on the pages. */
async function on(options: Partial<StartOptions>, play: (site: Site) => Promise<void>, mayFail = /^$/): Promise<void> {
  const site = await openSite(stage, options)
  try {
    await play(site)
    expect((await site.leave()).filter((fault) => !mayFail.test(fault))).toEqual([])
  } finally {
    await site.close()
  }
}

describe.concurrent('time passes', () => {
  test('a token that runs out is renewed without a word', () =>
    on({ access: '2s' }, async (site) => {
      const { page, logIn, button, card } = await site.person()
      await logIn('uma')
      const asked: string[] = []
      page.on('request', (request) => asked.push(new URL(request.url()).pathname))
      // Whoever uses the page after the token has run out: this post needs a new one.
      await page.waitForFunction((untilMs) => Date.now() > untilMs, Date.now() + 2_200, { polling: 50 })
      await page.getByLabel('What is new?').fill('after the token')
      await button('Post').click()
      await card('after the token').waitFor()
      expect(asked).toContain('/auth/refresh')
      expect(await isSameDocument(page)).toBe(true)
    }))

  test('a session that expires leads to the login page, and back to where one was', () =>
    on({ lifetime: '12s' }, async (site) => {
      const { page, logIn, says, enter, button } = await site.person()
      await logIn('uma', '/strategy')
      await says('Your session is over. Please log in again.')
      expect(new URL(page.url()).search).toBe('?returnTo=%2Fstrategy')
      expect(await isSameDocument(page)).toBe(true)
      await enter('uma')
      await button('Copy my access token').waitFor()
      expect(new URL(page.url()).pathname).toBe('/strategy')
    }))

  test('a role that is gained is there a few seconds later, without a login or a reload', () =>
    on({}, async ({ person, accounts }) => {
      const { page, logIn, link, button } = await person()
      await logIn('lin')
      const admin = await person()
      await admin.logIn('ada', '/people')
      await admin.page.getByLabel('Role of lin').selectOption('moderator')
      await link('People').click()
      await button('Ban', page.getByRole('article', { name: 'uma' })).click()
      await button('Lift the ban').waitFor()
      expect(await isSameDocument(page)).toBe(true)
      expect((await accounts.find('uma'))?.blocked).toBe('banned')
    }))

  test('while Redis is away nobody is logged out, and the page says so', () =>
    on(
      { deadline: '2s' },
      async (site) => {
        const { page, context, logIn, says, button } = await site.person()
        await logIn('uma')
        try {
          process.kill(site.redis.pid, 'SIGSTOP')
          await page.reload()
          await says('You are still signed in')
          expect((await context.cookies()).length).toBe(1)
        } finally {
          process.kill(site.redis.pid, 'SIGCONT')
        }
        await button('Log out').waitFor()
      },
      // The browser itself writes about each outage.
      /status of 503/,
    ))
})
