// One service for the tests of a file, a browser for each of them, and what they do there over and over.
import { afterAll, afterEach, beforeAll, expect, vi } from 'vitest'
import { startApp, type TestApp } from '../support.ts'
import { logIn, openBrowser, type Tab } from './tabs.ts'

export const SOON = { timeout: 60_000, interval: 5 }
export const REFRESH = 'POST /auth/refresh'
export let app: TestApp
let beforeRefresh: (() => Promise<void>) | undefined
let browser: ReturnType<typeof openBrowser> | undefined
let people = 0
export const somebody = () => `somebody.${++people}@example.com`

beforeAll(async () => {
  app = await startApp({
    around: (sessions) => ({
      ...sessions,
      refresh: async (...args: Parameters<typeof sessions.refresh>) => {
        await beforeRefresh?.()
        return sessions.refresh(...args)
      },
    }),
  })
})
afterAll(() => app?.close())
afterEach(() => {
  browser?.close()
  beforeRefresh = undefined
})

export function open() {
  browser = openBrowser(app)
  return browser
}
/** What `refresh` of the service does before it works, until the end of the test or the next call. */
export function onRefresh(work?: () => Promise<void>) {
  beforeRefresh = work
}
export const subjectOf = (tab: Tab) => (tab.state.status === 'signed_in' ? tab.state.session.subject : undefined)
export async function live(subject: string) {
  const ids: string[] = []
  for await (const { sessionId } of app.sessions.list(subject)) ids.push(sessionId)
  return ids
}
/** Somebody logs in in the first tab, and all others have heard of it: nothing is under way between them. */
export async function signIn(first: Tab, ...others: Tab[]) {
  await Promise.all(others.map((tab) => tab.start()))
  const session = await logIn(app, first, somebody())
  for (const tab of others) {
    await vi.waitFor(() => expect(tab.state).toEqual(first.state), SOON)
    tab.outs.length = 0
  }
  return session
}
/** The status after each change from now on. */
export function statesOf(...tabs: Tab[]) {
  const states: string[] = []
  for (const tab of tabs) tab.subscribe(() => states.push(tab.state.status))
  return states
}
export const bodyOf = async (response: Response) => ({ status: response.status, ...((await response.json()) as any) })
