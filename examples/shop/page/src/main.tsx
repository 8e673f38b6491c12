import '@mantine/core/styles.css'
import { createTheme, MantineProvider } from '@mantine/core'
import { createSessionClient } from 'countersign/browser'
import { SessionProvider } from 'countersign/browser/react'
import { createRoot } from 'react-dom/client'
import { createCookieClient } from '../../../shared/page/cookie-client.ts'
import type { ShopInfo } from './api.ts'
import { App } from './app.tsx'
import { ShopProvider } from './shop.tsx'
import { stepUp } from './step-up.ts'

const theme = createTheme({
  primaryColor: 'teal',
  // Dark enough for white text on it (WCAG AA).
  primaryShade: 9,
  defaultRadius: 'md',
  fontFamily: '"Inter", "Noto Sans SC", "PingFang SC", system-ui, sans-serif',
  headings: { fontFamily: 'Georgia, "Noto Serif SC", "Songti SC", serif', fontWeight: '600' },
})

const info = (await (await fetch('/api/shop')).json()) as ShopInfo
const options = { onStepUp: () => stepUp.ask() }
// An opaque token has nothing to renew, so it travels in a cookie; of a JWT the page holds the short-lived half in memory.
const client = info.strategy === 'opaque' ? createCookieClient(options) : createSessionClient(options)

createRoot(document.getElementById('root')!).render(
  <MantineProvider theme={theme} cssVariablesResolver={contrast}>
    <SessionProvider client={client}>
      <ShopProvider info={info}>
        <App />
      </ShopProvider>
    </SessionProvider>
  </MantineProvider>,
)

/** Secondary text that can still be read (WCAG AA). */
function contrast() {
  return {
    // Darker under the pointer, not lighter.
    variables: { '--mantine-color-teal-filled-hover': '#066649', '--mantine-primary-color-filled-hover': '#066649' },
    light: { '--mantine-color-dimmed': '#52595f', '--mantine-color-body': '#fbfaf7' },
    dark: { '--mantine-color-dimmed': '#b3b5ba' },
  }
}
