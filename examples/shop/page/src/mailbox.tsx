import { Button, Card, Group, Stack, Text, Title } from '@mantine/core'
import { useEffect, useState } from 'react'
import { useShop } from './shop.tsx'

interface Mail {
  readonly to: string
  readonly at: string
  readonly link: string
}

export function MailboxView() {
  const { say, language } = useShop()
  const [mails, setMails] = useState<readonly Mail[]>([])
  useEffect(() => {
    const read = () =>
      fetch('/api/mailbox')
        .then(async (response) => setMails((await response.json()).mails))
        .catch(() => undefined)
    void read()
    const timer = setInterval(read, 1_000)
    return () => clearInterval(timer)
  }, [])
  return (
    <Stack maw={720} mx="auto">
      <Title order={1} fz={{ base: 26, sm: 34 }}>
        {say('mailbox')}
      </Title>
      <Text c="dimmed">{say('mailboxIntro')}</Text>
      {mails.length === 0 && <Text>{say('mailboxEmpty')}</Text>}
      {mails.map(({ to, at, link }) => (
        <Card key={link} withBorder>
          <Group justify="space-between">
            <div>
              <Text fw={600}>{say('reset')}</Text>
              <Text c="dimmed" fz="sm">
                {to}, {new Date(at).toLocaleTimeString(language)}
              </Text>
            </div>
            <Button component="a" href={new URL(link).hash} variant="default">
              {say('openLink')}
            </Button>
          </Group>
        </Card>
      ))}
    </Stack>
  )
}
