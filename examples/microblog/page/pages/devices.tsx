import { Badge, Button, Group, Paper, Stack, Text, Title } from '@mantine/core'
import type { Device } from '../../shared/types.ts'
import { Bound } from '../parts/bound.tsx'
import { Problem, useAttempt } from '../parts/problem.tsx'
import { useLoaded } from '../parts/use-loaded.ts'
import { api } from '../session/api.ts'
import { settings } from '../settings.ts'
import { useLanguage, useWords } from '../words/words.tsx'

/** Where one is signed in. A session that is ended here ends its open pages, this one as well. */
export function Devices() {
  const t = useWords()
  const { language } = useLanguage()
  const [devices, , again] = useLoaded(api.devices)
  const { attempt, busy, code } = useAttempt()
  const end = (id: string) =>
    attempt(async () => {
      await api.endDevice(id)
      await again()
    })
  const at = (ms: number) => new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'medium' }).format(ms)
  return (
    <Stack>
      <Title order={1} fz="h3">
        {t.devices}
      </Title>
      <Text fz="sm">{t.devicesHint(settings.devices)}</Text>
      <Bound />
      <Problem code={code} />
      {devices?.map((device) => (
        <Paper component="article" key={device.id} withBorder p="md">
          <Group justify="space-between">
            <div>
              <Group gap="xs">
                <Text fw={700}>{nameOf(device)}</Text>
                {device.current && <Badge color="teal.9">{t.thisDevice}</Badge>}
              </Group>
              <Text fz="sm" c="gray.7">
                {device.ip} · {t.since} {at(device.since)} · {t.lastSeen} {at(device.seen)}
              </Text>
            </div>
            <Button size="xs" variant="default" disabled={busy} onClick={() => void end(device.id)}>
              {t.endDevice}
            </Button>
          </Group>
        </Paper>
      ))}
      <Group>
        <Button color="red.9" loading={busy} onClick={() => void attempt(api.logOutEverywhere)}>
          {t.logOutEverywhere}
        </Button>
      </Group>
    </Stack>
  )
}

/** Browser and system, as far as they can be told: a label, and nothing to rely on. */
function nameOf({ userAgent }: Device): string {
  const first = (names: readonly string[]) => names.find((name) => userAgent.includes(name)) ?? '?'
  return `${first(['Firefox', 'Edg', 'Chrome', 'Safari'])} · ${first(['Android', 'iPhone', 'Windows', 'Mac', 'Linux'])}`
}
