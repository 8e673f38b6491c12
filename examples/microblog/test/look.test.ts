/// <reference lib="dom" />
// Every page in both languages at phone and desktop width: axe finds nothing serious, nothing is cut off, and pictures are kept.
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type AxeBuilder from 'axe-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openSite, openStage, type Person, type Site, type Stage } from './site.ts'

const PICTURES = fileURLToPath(new URL('../../../artifacts/microblog/', import.meta.url))
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const WIDTHS = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } } as const
const WORDS = { 'en-US': ['Log in', 'Log out'], 'zh-CN': ['登录', '退出登录'] } as const

let stage: Stage
let site: Site
beforeAll(async () => {
  stage = await openStage()
  site = await openSite(stage, { devices: 10 })
  mkdirSync(PICTURES, { recursive: true })
})
afterAll(async () => {
  await site?.close()
  await stage?.close()
})

describe.each(Object.keys(WORDS) as (keyof typeof WORDS)[])('%s', (locale) => {
  test('every page', async () => {
    const [logIn, logOut] = WORDS[locale]
    // Scripts of a test are no scripts of the page.
    const one = await site.person({ locale, bypassCSP: true, viewport: WIDTHS.desktop })
    await one.page.goto('/login')
    await one.button(logIn).waitFor()
    expect(await one.page.evaluate(() => document.documentElement.lang)).toBe(locale === 'zh-CN' ? 'zh-CN' : 'en')
    await seen(one, locale, 'login')
    await one.page.goto('/register')
    await one.page.getByRole('textbox').first().fill('someone')
    await one.page.getByRole('textbox').nth(1).fill('too short')
    await one.page.locator('button[type=submit]').click()
    await one.page.getByRole('alert').waitFor()
    await seen(one, locale, 'register')
    await one.page.goto('/login')
    await one.page.getByRole('textbox').first().fill('ada')
    await one.page.getByRole('textbox').nth(1).fill('violet kettle orbits slowly')
    await one.button(logIn).click()
    await one.button(logOut).waitFor()
    for (const [path, name] of [
      ['/', 'posts'],
      ['/devices', 'devices'],
      ['/people', 'people'],
    ] as const) {
      await one.page.goto(path)
      await one.page.getByRole('article').first().waitFor()
      await seen(one, locale, name)
    }
    await one.page.goto('/strategy')
    await one.page.getByRole('main').getByRole('button').click()
    await one.page.getByRole('complementary').waitFor()
    await seen(one, locale, 'strategy')
    await one.button(logOut).click()
    await one.page.getByRole('status').first().waitFor()
    await seen(one, locale, 'logged-out')
    expect(await site.leave()).toEqual([])
  })
})

async function seen({ page }: Person, locale: string, name: string): Promise<void> {
  for (const [width, size] of Object.entries(WIDTHS)) {
    await page.setViewportSize(size)
    await page.screenshot({ path: `${PICTURES}${name}-${locale}-${width}.png`, animations: 'disabled' })
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    )
    expect(overflow, `${name} at ${width} width is wider than the screen`).toBe(0)
  }
  await page.evaluate(AXE)
  const { violations } = await page.evaluate(() => (globalThis as unknown as { axe: typeof AxeBuilder }).axe.run())
  const bad = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
  expect(bad.map(({ id, nodes }) => `${name}: ${id} ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([])
}
