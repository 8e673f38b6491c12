/// <reference lib="dom" />
// The same in React. Without JSX: nothing of the repository compiles it.
import { createSessionClient } from 'countersign/browser'
import { SessionProvider, useSession } from 'countersign/browser/react'
import { createElement as h, StrictMode, useState } from 'react'
import { createRoot } from 'react-dom/client'

const client = createSessionClient()
window.client = client

function Session() {
  const session = useSession()
  const [answer, setAnswer] = useState('')
  if (session.status !== 'signed_in')
    return h('p', { id: 'says' }, `Out: ${'reason' in session ? session.reason : '?'}`)
  const ask = async () => setAnswer(String((await session.authFetch('/auth/session')).status))
  return h(
    'div',
    null,
    h('p', { id: 'says' }, `In: ${session.session.subject}`),
    h('button', { type: 'button', id: 'ask', onClick: ask }, 'Ask'),
    h('button', { type: 'button', id: 'out', onClick: session.logout }, 'Log out'),
    h('p', { id: 'answer' }, answer),
  )
}

createRoot(document.querySelector('main')!).render(
  h(StrictMode, null, h(SessionProvider, { client, fallback: h('p', { id: 'says' }, 'Wait') }, h(Session))),
)
