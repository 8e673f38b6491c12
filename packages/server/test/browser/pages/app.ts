/// <reference lib="dom" />
// A small application: a private page, a login page, and a bare one. What every page of the site runs.
import { createSessionClient, type SessionClient } from 'countersign/browser'

declare global {
  interface Window {
    client: SessionClient
    outs: string[]
    warnings: string[]
  }
}

window.outs = []
window.warnings = []
const client = createSessionClient({ onWarning: (warning) => window.warnings.push(warning) })
window.client = client
client.onSignedOut((reason) => window.outs.push(reason))
const show = (text: string) => {
  document.querySelector('#says')!.textContent = text
}

/** `/quiet` leaves all that happens to the client. */
async function privatePage() {
  if (location.pathname === '/private') client.onSignedOut((reason) => location.replace(`/login#${reason}`))
  const state = await client.start()
  if (state.status !== 'signed_in') return show('Nobody')
  const { session } = (await (await client.authFetch('/auth/session')).json()) as { session: { subject: string } }
  show(`Private things of ${session.subject}`)
  document.querySelector('#logout')!.addEventListener('click', () => client.logout())
  watchFrames()
}

/** Tells the site what could be seen of the page in each frame after it came back from the cache. */
function watchFrames() {
  addEventListener('pageshow', ({ persisted }) => {
    const look = () => {
      const isVisible = getComputedStyle(document.querySelector('#says')!).visibility === 'visible'
      navigator.sendBeacon('/seen', JSON.stringify({ persisted, isVisible, status: client.state.status }))
      if (persisted) requestAnimationFrame(look)
    }
    look()
  })
}

async function loginPage() {
  const why = location.hash.slice(1)
  const state = await client.start()
  if (state.status === 'signed_in') return location.replace('/private')
  show(`Please log in: ${why || (state.status === 'signed_out' ? state.reason : 'unreachable')}`)
  document.querySelector('form')!.addEventListener('submit', async (event) => {
    event.preventDefault()
    const done = await client.login(Object.fromEntries(new FormData(event.target as HTMLFormElement)))
    if (done.ok) location.replace('/private')
    else show(`Not logged in: ${done.reason}`)
  })
}

if (['/private', '/quiet'].includes(location.pathname)) void privatePage()
if (location.pathname === '/login') void loginPage()
