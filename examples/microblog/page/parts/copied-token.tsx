import { Badge, Button, Group, Paper, Text } from '@mantine/core'
import { dropCopy, useCopy } from '../session/copied-token.ts'
import { useWords } from '../words/words.tsx'

/** Stays below whatever page is shown, also after the logout: then it matters. */
export function CopiedToken() {
  const t = useWords()
  const copy = useCopy()
  if (!copy) return null
  const isAccepted = copy.answer === 'accepted'
  return (
    <Paper component="aside" aria-label={t.copyTitle} withBorder p="md" mt="lg" bg="yellow.0">
      <Group justify="space-between">
        <div>
          <Text fw={700}>{t.copyTitle}</Text>
          <Group gap="xs">
            <Badge variant="filled" color={isAccepted ? 'red.9' : 'teal.9'} tt="none">
              {isAccepted ? t.copyAccepted : t.copyRefused(copy.answer)}
            </Badge>
            <Text fz="sm">{t.copyAfter(copy.seconds)}</Text>
          </Group>
        </div>
        <Button size="xs" variant="default" onClick={dropCopy}>
          {t.copyEnd}
        </Button>
      </Group>
    </Paper>
  )
}
