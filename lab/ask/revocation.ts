// When does it take effect?
import { setTimeout as sleep } from 'node:timers/promises'
import { type Finding, good, hole, late, none } from '../cell.ts'
import type { Tokens } from '../sides/told.ts'
import { type Ask, type Asked, Found, nobody, seconds, TooSlow, untilDead, warm } from './asked.ts'
import type { Reply } from './client.ts'

/** A token that every checker knows. */
async function loggedIn(asked: Asked, subject: string, more: object = {}, path = '/'): Promise<Tokens> {
  const tokens = await asked.issuer.login(subject, more)
  await warm(asked, tokens, path)
  return tokens
}

/** The first device is out, though nobody ended it and its time is not over. */
function outByTheOther({ accessExpiresAtMs }: Tokens): Finding {
  if (Date.now() >= accessExpiresAtMs) throw new TooSlow()
  return hole('logged out by the other', 'the first device was out when the second logged in')
}

function mustWork(what: string, { status, body }: Reply): void {
  if (status !== 200) throw new Error(`${what}: ${status} ${body.reason ?? ''}`)
}

const logout: Ask = async (asked) => {
  const tokens = await loggedIn(asked, nobody())
  mustWork('logout', await asked.issuer.post('/logout', {}, tokens.accessToken))
  return untilDead(asked, tokens)
}

const ban: Ask = async (asked) => {
  const subject = nobody()
  const tokens = await loggedIn(asked, subject)
  mustWork('ban', await asked.issuer.post('/ban', { subject }))
  const finding = await untilDead(asked, tokens)
  const again = await asked.issuer.post('/login', { subject })
  return again.status === 200 ? hole('logs in again', 'a banned user was given a new token') : finding
}

const demotion: Ask = async (asked) => {
  const subject = nobody()
  const tokens = await loggedIn(asked, subject, { roles: ['admin'] }, '/admin')
  mustWork('roles', await asked.issuer.post('/roles', { subject, roles: ['user'] }))
  return untilDead(asked, tokens, '/admin')
}

const password: Ask = async (asked) => {
  const subject = nobody()
  const mine = await asked.issuer.login(subject)
  const other = await loggedIn(asked, subject)
  const changed = await asked.issuer.post('/password', {}, mine.accessToken)
  if (changed.status === 401) return outByTheOther(mine)
  mustWork('password', changed)
  const [finding, kept] = await Promise.all([untilDead(asked, other), isIn(asked, changed.body as Tokens)])
  return kept.status === 200 ? finding : hole('logs out everybody', `the device that changed it: ${kept.status}`)
}

/** As a browser does it: refused, it renews once, and tries again. */
async function isIn({ issuer, checkers }: Asked, { accessToken, refreshToken }: Tokens): Promise<Reply> {
  const reply = await checkers[0]!.get('/', accessToken)
  if (reply.status !== 401 || refreshToken === undefined) return reply
  const renewed = await issuer.post('/refresh', { refreshToken })
  return renewed.status === 200 ? checkers[0]!.get('/', renewed.body.accessToken) : renewed
}

const limit: Ask = async (asked) => {
  const subject = nobody()
  const first = await loggedIn(asked, subject)
  await asked.issuer.login(subject)
  await asked.issuer.login(subject)
  return untilDead(asked, first)
}

/** Until the other device is shown what this one has chosen, or has to log in again to see it. */
const stale: Ask = async (asked) => {
  const { row, issuer, checkers } = asked
  if (row.verifiesOnly) return none('the token carries no data')
  const subject = nobody()
  const mine = await issuer.login(subject)
  const other = await loggedIn(asked, subject)
  const chosen = await issuer.post('/theme', { theme: 'dark' }, mine.accessToken)
  if (chosen.status === 401) return outByTheOther(mine)
  mustWork('theme', chosen)
  const startMs = Date.now()
  const checker = checkers.at(-1)!
  for (;;) {
    const { status, body } = await checker.get('/theme', other.accessToken)
    const ms = Date.now() - startMs
    if (body.theme === 'dark' && ms <= asked.boundMs)
      return good(`fresh, ${seconds(ms)}`, 'the other device was shown it', ms)
    if (body.theme === 'dark') return late(`stale ${seconds(ms)}`, 'the other device was shown it', ms)
    if (status === 401) return late(`stale ${seconds(ms)}, to exp`, 'shown the old value until its token expired', ms)
    if (ms > 8_000) return hole('stale', `shown the old value for ${seconds(ms)}`)
    await sleep(10)
  }
}

const bystander: Ask = async (asked) => {
  const mine = await loggedIn(asked, nobody())
  const other = await asked.issuer.login(nobody())
  try {
    await warm(asked, mine)
    mustWork('logout', await asked.issuer.post('/logout', {}, other.accessToken))
    await warm(asked, mine)
    return good('untouched', 'accepted after the login and after the logout of somebody else')
  } catch (error) {
    if (!(error instanceof Found)) throw error
    return hole('logged out by others', error.finding.seen)
  }
}

export const revocation: Readonly<Record<string, Ask>> = { logout, ban, demotion, password, limit, stale, bystander }
