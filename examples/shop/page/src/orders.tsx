import { Card, Group, Stack, Text, Title } from '@mantine/core'
import { useSession } from 'countersign/browser/react'
import { useEffect, useState } from 'react'
import { dateIn, type Order } from './api.ts'
import { price } from './catalogue.tsx'
import { useShop } from './shop.tsx'

export function OrderLine({ order, children }: { order: Order; children?: React.ReactNode }) {
  const { catalogue, language } = useShop()
  const bought = catalogue.filter(({ id }) => order.items[id])
  const total = bought.reduce((sum, { id, cents }) => sum + cents * order.items[id]!, 0)
  const text = bought.map(({ id, en, zh }) => `${order.items[id]} × ${language === 'zh-CN' ? zh : en}`).join(', ')
  return (
    <Card withBorder padding="sm" data-testid="order">
      <Group justify="space-between" wrap="nowrap" align="flex-start">
        <div>
          <Text>{text}</Text>
          <Text c="dimmed" fz="sm">
            {dateIn(language, order.at)}
          </Text>
        </div>
        <Stack gap={4} align="flex-end">
          <Text fw={600} style={{ whiteSpace: 'nowrap' }}>
            {price(total)}
          </Text>
          {children}
        </Stack>
      </Group>
    </Card>
  )
}

export function Orders() {
  const { authFetch } = useSession()
  const { say, changes, cart } = useShop()
  const [orders, setOrders] = useState<readonly Order[]>([])
  // biome-ignore lint/correctness/useExhaustiveDependencies: read again when somebody, this page included, changed something
  useEffect(() => {
    void authFetch('/api/orders')
      .then(async (response) => response.ok && setOrders((await response.json()).orders))
      .catch(() => undefined)
  }, [authFetch, changes, cart])
  if (orders.length === 0) return null
  return (
    <Stack gap="sm" mt="md">
      <Title order={2} fz={22}>
        {say('orders')}
      </Title>
      {orders.map((order) => (
        <OrderLine key={order.id} order={order} />
      ))}
    </Stack>
  )
}
