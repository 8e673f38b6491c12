import { Button, Group, Paper, Text, Textarea } from '@mantine/core'
import { useState } from 'react'
import { MAX_TEXT } from '../../shared/types.ts'
import { api } from '../session/api.ts'
import { useWords } from '../words/words.tsx'
import { Problem, useAttempt } from './problem.tsx'

export function Composer() {
  const t = useWords()
  const [text, setText] = useState('')
  const { attempt, busy, code } = useAttempt()
  const length = [...text.trim()].length
  const send = () =>
    attempt(async () => {
      await api.post(text)
      setText('')
    })
  return (
    <Paper withBorder p="md">
      <Textarea
        label={t.whatsNew}
        autosize
        minRows={2}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
      />
      <Group justify="space-between" mt="sm">
        <Text fz="sm" c={length > MAX_TEXT ? 'red.9' : 'gray.7'}>
          {length} / {MAX_TEXT}
        </Text>
        <Button onClick={() => void send()} loading={busy} disabled={length === 0 || length > MAX_TEXT}>
          {t.write}
        </Button>
      </Group>
      <Problem code={code} />
    </Paper>
  )
}
