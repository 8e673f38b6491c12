import '@mantine/core/styles.css'
import './page.css'
import { MantineProvider } from '@mantine/core'
import { SessionProvider } from 'countersign/browser/react'
import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import { client } from './session/client.ts'
import { nonce } from './settings.ts'
import { theme, variables } from './theme.ts'
import { WordsProvider } from './words/words.tsx'

createRoot(document.querySelector('#root')!).render(
  <MantineProvider theme={theme} cssVariablesResolver={variables} getStyleNonce={() => nonce}>
    <WordsProvider>
      <SessionProvider client={client}>
        <App />
      </SessionProvider>
    </WordsProvider>
  </MantineProvider>,
)
