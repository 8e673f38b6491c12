// Secrets that may be used once.
import { setTimeout as sleep } from 'node:timers/promises'
import { good, hole, none } from '../cell.ts'
import { GRACE_MS, type Tokens } from '../sides/told.ts'
import { type Ask, nobody } from './asked.ts'

const stolenRefresh: Ask = async ({ row, issuer, checkers }) => {
  if (row.verifiesOnly) return none('refreshes at the issuer')
  const first = await issuer.login(nobody())
  if (first.refreshToken === undefined) return none('no refresh token')
  // Two renewals of the victim, each past the grace and used, as a browser would in twenty minutes.
  let victim: Tokens = first
  for (let time = 0; time < 2; time++) {
    await sleep(GRACE_MS + 200)
    const renewed = await issuer.post('/refresh', { refreshToken: victim.refreshToken })
    if (renewed.status !== 200) return hole('the victim cannot renew', `${renewed.status} ${renewed.body.reason}`)
    victim = renewed.body as Tokens
    await checkers[0]!.get('/', victim.accessToken)
  }
  await sleep(GRACE_MS + 200)
  const thief = await issuer.post('/refresh', { refreshToken: first.refreshToken })
  if (thief.status === 200) {
    const used = await checkers[0]!.get('/', thief.body.accessToken)
    return hole('works', `the copy gave a new token, which was answered with ${used.status}`)
  }
  const after = await issuer.post('/refresh', { refreshToken: victim.refreshToken })
  const seen = `the thief: ${thief.status} ${thief.body.reason}; then the victim: ${after.status} ${after.body.reason ?? ''}`
  return after.status === 401 ? good('found, session ended', seen) : hole('refused, not noticed', seen)
}

const oneTime: Ask = async ({ row, issuer, checkers }) => {
  if (row.verifiesOnly) return none('made by the issuer')
  const there = row.kind === 'ours' ? checkers.at(-1)! : issuer
  const link = async () => (await issuer.post('/reset-request', { subject: nobody() })).body.token
  const one = await link()
  const first = await issuer.post('/reset', { token: one })
  if (first.status !== 200) return hole('does not work at all', `${first.status} ${first.body.reason}`)
  const again = await there.post('/reset', { token: one })
  const two = await link()
  const both = await Promise.all([issuer.post('/reset', { token: two }), there.post('/reset', { token: two })])
  const times = both.filter(({ status }) => status === 200).length
  const seen = `the second time: ${again.status} ${again.body.reason ?? ''}; two at once: ${times} accepted`
  return again.status === 200 || times !== 1 ? hole('works twice', seen) : good('works once', seen)
}

export const renewal: Readonly<Record<string, Ask>> = { 'stolen-refresh': stolenRefresh, 'one-time': oneTime }
