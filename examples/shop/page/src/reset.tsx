import { Button, Card, PasswordInput, Stack, Title } from '@mantine/core'
import { type FormEvent, useState } from 'react'
import { json } from './api.ts'
import { Note } from './note.tsx'
import { useShop } from './shop.tsx'

/** Taken out of the address at once, so that it is neither in the history nor in a screenshot. */
function takeToken(): string {
  const token = new URLSearchParams(location.hash.split('?')[1]).get('token') ?? ''
  history.replaceState(null, '', '#/reset')
  return token
}

export function ResetView() {
  const { say } = useShop()
  const [token] = useState(takeToken)
  const [next, setNext] = useState('')
  const [outcome, setOutcome] = useState<{ readonly ok: boolean; readonly text: string }>()

  async function submit(event: FormEvent) {
    event.preventDefault()
    const response = await fetch('/api/password/reset', json('POST', { token, next })).catch(() => undefined)
    const answer = await response?.json().catch(() => undefined)
    if (response?.ok) setOutcome({ ok: true, text: say('resetDone') })
    else setOutcome({ ok: false, text: say('failed', { reason: String(answer?.code ?? '').replaceAll('_', ' ') }) })
  }
  return (
    <Card withBorder maw={420} mx="auto" padding="lg">
      <form onSubmit={submit}>
        <Stack>
          <Title order={1} fz={26}>
            {say('reset')}
          </Title>
          <PasswordInput
            label={say('newPassword')}
            autoComplete="new-password"
            value={next}
            onChange={(e) => setNext(e.currentTarget.value)}
            visibilityToggleButtonProps={{ 'aria-label': say('newPassword') }}
          />
          {outcome && (
            <Note tone={outcome.ok ? 'teal' : 'red'} role="alert" data-testid="reset-outcome">
              {outcome.text}
            </Note>
          )}
          {outcome?.ok ? (
            <Button component="a" href="#/account">
              {say('login')}
            </Button>
          ) : (
            <Button type="submit">{say('reset')}</Button>
          )}
        </Stack>
      </form>
    </Card>
  )
}
