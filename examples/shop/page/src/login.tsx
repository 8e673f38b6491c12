import { Anchor, Button, Card, Checkbox, Divider, PasswordInput, Stack, Text, TextInput, Title } from '@mantine/core'
import { useSession } from 'countersign/browser/react'
import { type FormEvent, useState } from 'react'
import { json } from './api.ts'
import { Note } from './note.tsx'
import { useShop } from './shop.tsx'

const DEMO = [
  ['ada@example.com', 'violet kettle orbits slowly'],
  ['lin@example.com', 'quiet lantern counts seven'],
  ['office@example.com', 'amber harbour keeps ledgers'],
]

export function LoginView() {
  const { login } = useSession()
  const { say, entered } = useShop()
  const [identifier, setIdentifier] = useState('')
  const [password, setPassword] = useState('')
  const [persistent, setPersistent] = useState(true)
  const [message, setMessage] = useState('')
  const [isBusy, setBusy] = useState(false)

  async function submit(event: FormEvent) {
    event.preventDefault()
    setBusy(true)
    const label = navigator.userAgent.includes('Mobile') ? 'Phone' : 'Browser'
    const device = { id: label.toLowerCase(), label }
    const done = await login({ identifier, password, persistent, device }).catch(() => undefined)
    setBusy(false)
    // Where it went well the login has made room for the page that somebody wanted to see.
    if (done?.ok) entered(done.durability)
    else setMessage(done?.reason === 'bad_credentials' ? say('wrong') : say('failed', { reason: done?.reason ?? '' }))
  }
  async function forgot() {
    await fetch('/api/password/forgot', json('POST', { identifier })).catch(() => undefined)
    setMessage(say('forgotSent'))
  }
  return (
    <Card withBorder maw={420} mx="auto" padding="lg">
      <form onSubmit={submit}>
        <Stack gap="sm">
          <Title order={1} fz={26}>
            {say('login')}
          </Title>
          <TextInput
            label={say('email')}
            autoComplete="username"
            value={identifier}
            onChange={(e) => setIdentifier(e.currentTarget.value)}
          />
          <PasswordInput
            label={say('password')}
            autoComplete="current-password"
            value={password}
            onChange={(e) => setPassword(e.currentTarget.value)}
            visibilityToggleButtonProps={{ 'aria-label': say('password') }}
          />
          <Checkbox label={say('stay')} checked={persistent} onChange={(e) => setPersistent(e.currentTarget.checked)} />
          {message && (
            <Note tone="gray" role="alert">
              {message}
            </Note>
          )}
          <Button type="submit" loading={isBusy}>
            {say('login')}
          </Button>
          <Button variant="subtle" onClick={() => void forgot()} disabled={identifier === ''}>
            {say('forgot')}
          </Button>
          <Divider label={say('demo')} styles={{ label: { color: 'var(--mantine-color-dimmed)' } }} />
          {DEMO.map(([name, secret]) => (
            <Anchor
              key={name}
              component="button"
              type="button"
              ta="left"
              c="var(--mantine-color-text)"
              underline="always"
              onClick={() => {
                setIdentifier(name!)
                setPassword(secret!)
              }}
            >
              {name}
            </Anchor>
          ))}
          <Text fz="sm">
            <Anchor href="#/mailbox" c="var(--mantine-color-text)" underline="always">
              {say('mailbox')}
            </Anchor>
          </Text>
        </Stack>
      </form>
    </Card>
  )
}
