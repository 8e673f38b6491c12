// The access token lives in this variable and nowhere else: not in storage, not in the URL, not in a cookie that a
// script could read. After a reload the refresh cookie, which no script sees either, gives a new one.
let accessToken
/** `cookie` where there are no refresh tokens: then the only token is in a cookie that no script sees. */
let delivery = 'browser'

const query = new URLSearchParams(location.search)
/** Where somebody wanted to go: a path of this origin, or nothing. */
const returnTo = pathOf(query.get('return_to'))

function pathOf(text) {
  if (!text?.startsWith('/') || !URL.canParse(text, location.origin)) return undefined
  const { origin, pathname, search } = new URL(text, location.origin)
  return origin === location.origin && !pathname.startsWith('//') ? pathname + search : undefined
}

/** With a referrer, by which `/verify` sees that somebody was here already, and sends them back with `again=1`. */
function goBack() {
  const meta = document.createElement('meta')
  meta.name = 'referrer'
  meta.content = 'same-origin'
  document.head.append(meta)
  location.replace(returnTo)
}

const byId = (id) => document.getElementById(id)

async function call(method, path, body) {
  const headers = {
    ...(accessToken && { authorization: `Bearer ${accessToken}` }),
    ...(body && { 'content-type': 'application/json' }),
  }
  const response = await fetch(path, { method, headers, ...(body && { body: JSON.stringify(body) }) })
  const text = await response.text()
  const answer = text === '' ? {} : JSON.parse(text)
  if (typeof answer.accessToken === 'string') accessToken = answer.accessToken
  return { ok: response.ok, status: response.status, ...answer }
}

/** The same, and once more with a fresh access token when the old one is over. */
async function callWithRefresh(method, path, body) {
  const answer = await call(method, path, body)
  if (answer.status !== 401 || answer.remedy !== 'refresh') return answer
  return (await call('POST', '/auth/refresh')).ok ? call(method, path, body) : answer
}

async function show(message) {
  const canAsk = accessToken || delivery === 'cookie'
  const answer = canAsk ? await callWithRefresh('GET', '/auth/session') : { ok: false }
  if (!answer.ok) accessToken = undefined
  byId('login').hidden = answer.ok
  byId('account').hidden = !answer.ok
  byId('who').textContent = message ?? (answer.ok ? describe(answer.session) : 'Nobody is logged in.')
  if (!answer.ok) return
  const { items = [] } = await callWithRefresh('GET', '/auth/sessions')
  byId('devices').replaceChildren(...items.map(deviceOf))
}

const describe = ({ subject, roles }) => `Logged in as ${subject}${roles.length > 0 ? ` (${roles.join(', ')})` : ''}.`

/** `textContent` throughout: a user agent is text of somebody else's making. */
function deviceOf(session) {
  const item = document.createElement('li')
  const since = new Date(session.createdAt).toLocaleString()
  const name = session.device?.label ?? session.userAgent ?? 'unknown device'
  item.textContent = `${name}, since ${since}${session.current ? ' (this one) ' : ' '}`
  if (session.current) return item
  const button = document.createElement('button')
  button.type = 'button'
  button.textContent = 'Log out'
  button.addEventListener('click', () => act(() => callWithRefresh('DELETE', `/auth/sessions/${session.id}`)))
  item.append(button)
  return item
}

/** Ending sessions needs a recent login: ask for the password and try again. */
async function act(what) {
  let answer = await what()
  if (answer.code === 'insufficient_user_authentication') {
    const password = prompt('Your password, please:')
    if (password === null) return
    answer = await call('POST', '/auth/reauth', { password })
    if (answer.ok) answer = await what()
  }
  await show(answer.ok ? undefined : (answer.detail ?? answer.title))
}

const typed = () => ({ identifier: byId('identifier').value, password: byId('password').value })

async function logIn() {
  // A page that a proxy guards knows cookies only.
  const answer = await call('POST', '/auth/login', { ...typed(), delivery: returnTo ? 'cookie' : delivery })
  byId('password').value = ''
  if (answer.ok && returnTo) goBack()
  else await show(answer.ok ? undefined : (answer.detail ?? answer.title))
}

byId('login').addEventListener('submit', (event) => {
  event.preventDefault()
  void logIn()
})
byId('register').addEventListener('click', async () => {
  if (!byId('login').reportValidity()) return
  const answer = await call('POST', '/auth/register', typed())
  if (answer.ok) await logIn()
  else await show(answer.detail ?? answer.title)
})
byId('logout').addEventListener('click', async () => {
  const answer = await call('POST', '/auth/logout')
  if (answer.ok || answer.status === 401) accessToken = undefined
  await show(answer.ok || answer.status === 401 ? undefined : answer.title)
})
byId('logout-everywhere').addEventListener('click', () =>
  act(() => callWithRefresh('POST', '/auth/sessions/revoke-all', {})),
)

byId('forgot').addEventListener('click', async () => {
  if (!byId('identifier').reportValidity()) return
  const answer = await call('POST', '/auth/password/forgot', { identifier: byId('identifier').value })
  await show(answer.ok ? 'If there is such an account, a link is on its way.' : (answer.detail ?? answer.title))
})

/** Whoever comes by a link has its token in the fragment. It is taken out of the address bar before anything else. */
let link = /^#(password_reset|email_verification)=([\w-]+)$/.exec(location.hash)
if (link) history.replaceState(null, '', location.pathname)
byId('reset').hidden = link?.[1] !== 'password_reset'
byId('reset').addEventListener('submit', async (event) => {
  event.preventDefault()
  const newPassword = byId('new-password').value
  const answer = await call('POST', '/auth/password/reset', { token: link[2], newPassword })
  if (answer.ok || answer.code === 'link_invalid') {
    link = null
    byId('reset').hidden = true
    byId('new-password').value = ''
  }
  await show(answer.ok ? 'The password is set. Log in with it.' : (answer.detail ?? answer.title))
})

const refreshed = await call('POST', '/auth/refresh')
if (refreshed.status === 501 || refreshed.session?.delivery === 'cookie') delivery = 'cookie'
if (returnTo) await returnOrShow()
else if (link?.[1] === 'email_verification') {
  const answer = await call('POST', '/auth/email/verify', { token: link[2] })
  await show(answer.ok ? 'The address is verified.' : answer.title)
} else await show()

/** A session whose access token is in no cookie is none where somebody wants to go: that takes a login. */
async function returnOrShow() {
  const isLoggedIn = delivery === 'cookie' && (await call('GET', '/auth/session')).ok
  // Once: else whoever is refused there goes round in circles.
  if (isLoggedIn && !query.has('again')) return goBack()
  await show(isLoggedIn ? 'You are logged in, but the page that you came from refused it.' : 'Log in to go on.')
  byId('login').hidden = false
}
