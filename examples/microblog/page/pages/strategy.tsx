import { Button, Code, Group, Paper, Stack, Text, Title } from '@mantine/core'
import { STRATEGIES } from '../../shared/types.ts'
import { copyToken } from '../session/copied-token.ts'
import { settings } from '../settings.ts'
import { useWords } from '../words/words.tsx'

/** What a revocation means here, and a way to feel it. */
export function StrategyPage() {
  const t = useWords()
  const { strategy, access, lifetime } = settings
  return (
    <Stack>
      <Title order={1} fz="h3">
        {t.strategy}: {strategy}
      </Title>
      <Text>{t.strategies[strategy]}</Text>
      {strategy !== 'opaque' && <Text>{t.settings(access, lifetime)}</Text>}
      <Paper withBorder p="md">
        <Title order={2} fz="h5">
          {t.copyTitle}
        </Title>
        {strategy === 'opaque' ? (
          <Text mt="xs">{t.copyNever}</Text>
        ) : (
          <>
            <Text my="xs">
              {t.copyIntro} {t.copyTry}
            </Text>
            <Group>
              <Button variant="default" onClick={copyToken}>
                {t.copyStart}
              </Button>
            </Group>
          </>
        )}
      </Paper>
      <Text>{t.otherStrategies}</Text>
      {STRATEGIES.filter((name) => name !== strategy).map((name) => (
        <Code key={name} c="gray.9">
          npm run microblog -- --strategy {name}
        </Code>
      ))}
    </Stack>
  )
}
