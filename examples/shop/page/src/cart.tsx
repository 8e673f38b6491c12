import { ActionIcon, Button, Card, Group, Stack, Text, Title } from '@mantine/core'
import { useSession } from 'countersign/browser/react'
import { useRef, useState } from 'react'
import { json, untilKnown } from './api.ts'
import { price } from './catalogue.tsx'
import { Note } from './note.tsx'
import { Orders } from './orders.tsx'
import { Picture } from './picture.tsx'
import { useShop } from './shop.tsx'

type Outcome = { readonly is: 'idle' | 'sending' | 'unknown' | 'replicated' | 'local' } | { is: 'failed'; why: string }

export function CartView() {
  const { say, catalogue, language, cart, change, cartUnknown } = useShop()
  const { status } = useSession()
  const lines = catalogue.filter(({ id }) => cart.items[id])
  const total = lines.reduce((sum, { id, cents }) => sum + cents * cart.items[id]!, 0)
  return (
    <Stack maw={720} mx="auto">
      <Title order={1} fz={{ base: 26, sm: 34 }}>
        {say('cart')}
      </Title>
      {cartUnknown && <Note tone="orange">{say('cartUnknown')}</Note>}
      {lines.length === 0 && <Text c="dimmed">{say('emptyCart')}</Text>}
      {lines.map(({ id, en, zh, cents }) => {
        const name = language === 'zh-CN' ? zh : en
        return (
          <Card key={id} withBorder padding="sm" data-testid={`line-${id}`}>
            <Group justify="space-between" wrap="nowrap">
              <Group gap="sm" wrap="nowrap">
                <Picture of={id} size={34} />
                <div>
                  <Text fw={600}>{name}</Text>
                  <Text c="dimmed" fz="sm">
                    {price(cents)}
                  </Text>
                </div>
              </Group>
              <Group gap="xs" wrap="nowrap">
                <ActionIcon
                  variant="default"
                  size="lg"
                  aria-label={`${say('less')}: ${name}`}
                  onClick={() => void change(id, -1)}
                >
                  −
                </ActionIcon>
                <Text w={28} ta="center" data-testid={`quantity-${id}`}>
                  {cart.items[id]}
                </Text>
                <ActionIcon
                  variant="default"
                  size="lg"
                  aria-label={`${say('more')}: ${name}`}
                  onClick={() => void change(id, 1)}
                >
                  +
                </ActionIcon>
              </Group>
            </Group>
          </Card>
        )
      })}
      {lines.length > 0 && (
        <Group justify="space-between">
          <Text fw={700}>{say('total')}</Text>
          <Text fw={700}>{price(total)}</Text>
        </Group>
      )}
      {status === 'signed_in' ? (
        <>
          <Checkout isEmpty={lines.length === 0} />
          <Orders />
        </>
      ) : (
        lines.length > 0 && (
          <Button component="a" href="#/account" size="md">
            {say('loginToOrder')}
          </Button>
        )
      )}
    </Stack>
  )
}

function Checkout({ isEmpty }: { isEmpty: boolean }) {
  const { say, readCart } = useShop()
  const { authFetch } = useSession()
  const [outcome, setOutcome] = useState<Outcome>({ is: 'idle' })
  /** The name of the order, the same until it is known what became of it. */
  const order = useRef<string>(undefined)

  async function place() {
    order.current ??= crypto.randomUUID()
    setOutcome({ is: 'sending' })
    const init = json('POST', { order: order.current })
    const response = await untilKnown(authFetch, '/api/checkout', init, () => setOutcome({ is: 'unknown' }))
    const answer = await response.json()
    order.current = undefined
    if (response.ok) setOutcome({ is: answer.durability })
    else setOutcome(answer.remedy === 'step_up' ? { is: 'idle' } : { is: 'failed', why: answer.code })
    await readCart()
  }
  const isUnderWay = outcome.is === 'sending' || outcome.is === 'unknown'
  return (
    <Stack gap="sm" aria-live="polite">
      {(!isEmpty || isUnderWay) && (
        <Button size="md" loading={isUnderWay} onClick={() => void place()}>
          {say('checkout')}
        </Button>
      )}
      {outcome.is === 'sending' && <Text c="dimmed">{say('sending')}</Text>}
      {outcome.is === 'unknown' && (
        <Note tone="orange" data-testid="order-unknown">
          {say('unknown')}
        </Note>
      )}
      {(outcome.is === 'replicated' || outcome.is === 'local') && (
        <Note tone="teal" data-testid={`order-${outcome.is}`}>
          {say('placed')} {say(outcome.is)}
        </Note>
      )}
      {outcome.is === 'failed' && <Note tone="red">{say('failed', { reason: outcome.why })}</Note>}
    </Stack>
  )
}
