import { Button, Group, Modal, PasswordInput, Stack, Text } from '@mantine/core'
import { useSession } from 'countersign/browser/react'
import { type FormEvent, useState, useSyncExternalStore } from 'react'
import { Note } from './note.tsx'
import { useShop } from './shop.tsx'
import { stepUp } from './step-up.ts'

/** Asked for by the server, not by the page: the checkout was refused with the remedy `step_up`, and is sent again after this. */
export function Confirm() {
  const { say } = useShop()
  const { reauth } = useSession()
  const isOpen = useSyncExternalStore(stepUp.subscribe, stepUp.isAsking)
  const [password, setPassword] = useState('')
  const [isWrong, setWrong] = useState(false)

  function close(proved: boolean) {
    setPassword('')
    setWrong(false)
    stepUp.answer(proved)
  }
  async function submit(event: FormEvent) {
    event.preventDefault()
    const done = await reauth({ password }).catch(() => undefined)
    if (done?.ok) close(true)
    else setWrong(true)
  }
  return (
    <Modal
      opened={isOpen}
      onClose={() => close(false)}
      title={say('confirm')}
      closeButtonProps={{ 'aria-label': say('cancel') }}
    >
      <form onSubmit={submit}>
        <Stack>
          <Text>{say('confirmWhy')}</Text>
          <PasswordInput
            label={say('password')}
            autoComplete="current-password"
            data-autofocus
            value={password}
            onChange={(e) => setPassword(e.currentTarget.value)}
            visibilityToggleButtonProps={{ 'aria-label': say('password') }}
          />
          {isWrong && (
            <Note tone="red" role="alert">
              {say('wrongPassword')}
            </Note>
          )}
          <Group justify="flex-end">
            <Button variant="default" onClick={() => close(false)}>
              {say('cancel')}
            </Button>
            <Button type="submit">{say('checkout')}</Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
