import { Stack } from '@mantine/core'
import { useSession } from 'countersign/browser/react'
import { useEffect, useState } from 'react'
import { reasonIn } from './messages.ts'
import { Note } from './note.tsx'
import { useShop } from './shop.tsx'

/** Nothing that anybody has to be told. */
const QUIET: readonly string[] = ['missing', 'logout', 'invalid_token', 'malformed', 'unknown']

/** Why this device is logged out, and what came along at the login. */
export function Notices() {
  const state = useSession()
  const { say, cart, deviceLimit, over, strategy } = useShop()
  const [until, setUntil] = useState('')
  const { authFetch } = state
  useEffect(() => {
    if (over === undefined) return
    void authFetch('/api/me')
      .then((response) => response.json())
      .then(({ expiresAtMs }) => expiresAtMs && setUntil(new Date(expiresAtMs).toLocaleTimeString()))
  }, [over, authFetch])
  // What the stream said is shown until the server has said it as well.
  const isOver = strategy === 'stateless' ? undefined : over
  const endedBy = state.status === 'signed_out' ? (QUIET.includes(state.reason) ? undefined : state.reason) : isOver
  return (
    <Stack gap="sm" mb={endedBy || over || cart.merged > 0 ? 'md' : 0} aria-live="polite">
      {endedBy && (
        <Note tone="red" data-testid="ended">
          {say('ended', { reason: reasonIn(say, endedBy, deviceLimit) })}
        </Note>
      )}
      {over && state.status === 'signed_in' && strategy === 'stateless' && (
        <Note tone="orange" data-testid="over">
          {say('endedStateless', { reason: reasonIn(say, over, deviceLimit), until })}
        </Note>
      )}
      {cart.merged > 0 && (
        <Note tone="teal" data-testid="merged">
          {say('merged', { n: cart.merged })}
        </Note>
      )}
    </Stack>
  )
}
