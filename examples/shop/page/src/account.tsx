import { Badge, Button, Card, Group, SegmentedControl, Stack, Text, Title } from '@mantine/core'
import { useSession } from 'countersign/browser/react'
import { useCallback, useEffect, useState } from 'react'
import { dateIn, json } from './api.ts'
import { useShop } from './shop.tsx'

interface Device {
  readonly id: string
  readonly label: string
  readonly createdAtMs: number
  readonly current: boolean
}

export function AccountView() {
  const { say, language, scheme, prefer, deviceLimit, changes, durability } = useShop()
  const state = useSession()
  const { authFetch } = state
  const [devices, setDevices] = useState<readonly Device[]>([])
  const [name, setName] = useState('')

  const read = useCallback(async () => {
    const [me, list] = await Promise.all([authFetch('/api/me'), authFetch('/api/devices')])
    if (me.ok) setName((await me.json()).name)
    if (list.ok) setDevices((await list.json()).devices)
  }, [authFetch])
  // biome-ignore lint/correctness/useExhaustiveDependencies: read again when something of the account changed
  useEffect(() => {
    void read().catch(() => undefined)
  }, [read, changes])
  const end = async (path: string, method: 'DELETE' | 'POST') => {
    await authFetch(path, json(method)).catch(() => undefined)
    await read().catch(() => undefined)
  }
  return (
    <Stack maw={720} mx="auto">
      <Group justify="space-between">
        <Title order={1} fz={{ base: 26, sm: 34 }}>
          {say('account')}
        </Title>
        <Text c="dimmed">{name}</Text>
      </Group>
      <Card withBorder>
        <Title order={2} fz={20}>
          {say('devices')}
        </Title>
        <Text c="dimmed" fz="sm" mb="sm">
          {say('deviceLimit', { n: devices.length, limit: deviceLimit })}
        </Text>
        {durability && (
          <Text fz="sm" mb="sm" data-testid={`login-${durability}`}>
            {say(durability === 'local' ? 'loginLocal' : 'loginReplicated')}
          </Text>
        )}
        <Stack gap="xs">
          {devices.map(({ id, label, createdAtMs, current }) => (
            <Group key={id} justify="space-between" wrap="nowrap" data-testid="device">
              <div>
                <Text fw={600}>
                  {label}{' '}
                  {current && (
                    <Badge variant="default" tt="none">
                      {say('thisDevice')}
                    </Badge>
                  )}
                </Text>
                <Text c="dimmed" fz="sm">
                  {dateIn(language, createdAtMs)}
                </Text>
              </div>
              {!current && (
                <Button variant="default" size="xs" onClick={() => void end(`/api/devices/${id}`, 'DELETE')}>
                  {say('end')}
                </Button>
              )}
            </Group>
          ))}
        </Stack>
        {devices.length > 1 && (
          <Button mt="md" variant="default" onClick={() => void end('/api/devices/others/end', 'POST')}>
            {say('endOthers')}
          </Button>
        )}
      </Card>
      <Card withBorder>
        <Title order={2} fz={20}>
          {say('preferences')}
        </Title>
        <Text c="dimmed" fz="sm" mb="sm">
          {say('preferencesWhy')}
        </Text>
        <Group>
          <SegmentedControl
            aria-label={say('scheme')}
            value={scheme}
            onChange={(value) => void prefer({ scheme: value as 'light' | 'dark' })}
            data={[
              { value: 'light', label: say('light') },
              { value: 'dark', label: say('dark') },
            ]}
          />
        </Group>
      </Card>
      <Group>
        <Button component="a" href="#/office" variant="default">
          {say('tryOffice')}
        </Button>
        <Button variant="default" hiddenFrom="sm" onClick={() => void state.logout()}>
          {say('logout')}
        </Button>
      </Group>
    </Stack>
  )
}
