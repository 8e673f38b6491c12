import { Button, Card, Group, SimpleGrid, Text, Title } from '@mantine/core'
import { useSession } from 'countersign/browser/react'
import { Picture } from './picture.tsx'
import { useShop } from './shop.tsx'

export const price = (cents: number): string => `€ ${(cents / 100).toFixed(2)}`

export function CatalogueView() {
  const { catalogue, language, say, change, cart } = useShop()
  const state = useSession()
  const isStaff = state.status === 'signed_in' && state.session.roles.includes('staff')
  return (
    <>
      <Title order={1} fz={{ base: 26, sm: 34 }} mb="md">
        {say('catalogue')}
      </Title>
      <SimpleGrid cols={{ base: 2, sm: 3, md: 4 }} spacing={{ base: 'sm', sm: 'lg' }}>
        {catalogue.map(({ id, en, zh, cents, hue }) => {
          const name = language === 'zh-CN' ? zh : en
          return (
            <Card key={id} padding="sm" withBorder shadow="xs">
              <Card.Section
                aria-hidden
                style={{
                  background: `linear-gradient(150deg, hsl(${hue} 45% 86%), hsl(${(hue + 40) % 360} 50% 74%))`,
                  height: 120,
                  display: 'grid',
                  placeItems: 'center',
                  color: `hsl(${hue} 45% 24%)`,
                }}
              >
                <Picture of={id} size={64} />
              </Card.Section>
              <Group justify="space-between" mt="sm" mb="xs" gap={4}>
                <Text fw={600}>{name}</Text>
                <Text c="dimmed">{price(cents)}</Text>
              </Group>
              <Button
                mt="auto"
                fullWidth
                size="sm"
                variant={cart.items[id] ? 'default' : 'filled'}
                disabled={isStaff}
                aria-label={`${say('add')}: ${name}`}
                onClick={() => void change(id, 1)}
              >
                {say('add')}
                {cart.items[id] ? ` (${cart.items[id]})` : ''}
              </Button>
            </Card>
          )
        })}
      </SimpleGrid>
    </>
  )
}
