import { Badge, Button, Stack, Text, Title } from '@mantine/core'
import { useSession } from 'countersign/browser/react'
import { useCallback, useEffect, useState } from 'react'
import { json, type Order } from './api.ts'
import { Note } from './note.tsx'
import { OrderLine } from './orders.tsx'
import { useShop } from './shop.tsx'

export function OfficeView() {
  const { say } = useShop()
  const { authFetch } = useSession()
  const [orders, setOrders] = useState<readonly Order[]>()
  const [refused, setRefused] = useState<string>()
  const read = useCallback(async () => {
    const response = await authFetch('/office/orders')
    const answer = await response.json()
    if (response.ok) setOrders(answer.orders)
    else setRefused(`${response.status} ${answer.reason ?? answer.code}`)
  }, [authFetch])
  useEffect(() => {
    void read().catch(() => undefined)
  }, [read])

  async function send(id: string) {
    await authFetch(`/office/orders/${id}/sent`, json('POST', {})).catch(() => undefined)
    await read().catch(() => undefined)
  }
  return (
    <Stack maw={720} mx="auto">
      <Title order={1} fz={{ base: 26, sm: 34 }}>
        {say('office')}
      </Title>
      {refused && (
        <Note tone="red" title={refused} data-testid="office-refused">
          {say('officeOnly')}
        </Note>
      )}
      {orders?.length === 0 && <Text c="dimmed">{say('noOrders')}</Text>}
      {orders?.map((order) => (
        <OrderLine key={order.id} order={order}>
          {order.sent ? (
            <Badge tt="none">{say('sent')}</Badge>
          ) : (
            <Button size="xs" variant="default" onClick={() => void send(order.id)}>
              {say('send')}
            </Button>
          )}
        </OrderLine>
      ))}
    </Stack>
  )
}
