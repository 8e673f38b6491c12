import { Button, Checkbox, Paper, PasswordInput, Stack, TextInput, Title } from '@mantine/core'
import { type FormEvent, type ReactNode, useState } from 'react'
import { api, Refusal } from '../session/api.ts'
import { client } from '../session/client.ts'
import { useWords } from '../words/words.tsx'
import { Problem, useAttempt } from './problem.tsx'

/** Name and password, to log in with or to register with. */
export function AccountForm({ isNew, children }: { readonly isNew?: boolean; readonly children: ReactNode }) {
  const t = useWords()
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const [persistent, setPersistent] = useState(true)
  const { attempt, busy, code } = useAttempt()

  const submit = (event: FormEvent) => {
    event.preventDefault()
    void attempt(async () => {
      if (isNew) await api.register(name, password)
      const entered = await client.login({ identifier: name, password, persistent })
      if (!entered.ok) throw new Refusal(entered.reason)
    })
  }
  return (
    <Paper withBorder shadow="xs" p="lg" maw={420} mx="auto">
      <form onSubmit={submit}>
        <Stack>
          <Title order={1} fz="h3">
            {isNew ? t.register : t.logIn}
          </Title>
          <TextInput
            label={t.name}
            {...(isNew && { description: t.nameHint })}
            autoComplete="username"
            autoCapitalize="none"
            required
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <PasswordInput
            label={t.password}
            {...(isNew && { description: t.passwordHint })}
            autoComplete={isNew ? 'new-password' : 'current-password'}
            required
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
          />
          <Checkbox
            label={t.stay}
            checked={persistent}
            onChange={(event) => setPersistent(event.currentTarget.checked)}
          />
          <Problem code={code} />
          <Button type="submit" loading={busy}>
            {isNew ? t.register : t.logIn}
          </Button>
          {children}
        </Stack>
      </form>
    </Paper>
  )
}
