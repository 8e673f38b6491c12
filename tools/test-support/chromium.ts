import { type BrowserContext, chromium } from 'playwright-core'

const OPTIONS = {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
  // Playwright switches it off; what comes back from it is part of what is tested.
  ignoreDefaultArgs: ['--disable-back-forward-cache'],
}

/** The real browser of this machine, with its back/forward cache. */
export const launchChromium = () => chromium.launch(OPTIONS)

/** The same with a profile of its own in `folder`, which may hold preferences already. */
export const launchProfile = (folder: string): Promise<BrowserContext> =>
  chromium.launchPersistentContext(folder, OPTIONS)
