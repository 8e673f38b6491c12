import { AppShell, Badge, Button, Container, Group, SegmentedControl, Text, UnstyledButton } from '@mantine/core'
import { useSession } from 'countersign/browser/react'
import { useSyncExternalStore } from 'react'
import { AccountView } from './account.tsx'
import { CartView } from './cart.tsx'
import { CatalogueView } from './catalogue.tsx'
import { Confirm } from './confirm.tsx'
import { LoginView } from './login.tsx'
import { MailboxView } from './mailbox.tsx'
import type { Language } from './messages.ts'
import { Note } from './note.tsx'
import { Notices } from './notices.tsx'
import { OfficeView } from './office.tsx'
import { Picture } from './picture.tsx'
import { ResetView } from './reset.tsx'
import { useShop } from './shop.tsx'

const listen = (listener: () => void) => {
  addEventListener('hashchange', listener)
  return () => removeEventListener('hashchange', listener)
}
const pathOf = () => location.hash.slice(1).split('?')[0] || '/'

export function App() {
  const path = useSyncExternalStore(listen, pathOf)
  const state = useSession()
  const { say } = useShop()
  return (
    <AppShell header={{ height: { base: 104, sm: 64 } }} padding={0}>
      <AppShell.Header>
        <Header path={path} />
      </AppShell.Header>
      <AppShell.Main>
        <Container size="lg" py="lg">
          <Notices />
          {state.status === 'unknown' && path !== '/' && !state.unreachable ? <Text>…</Text> : <View path={path} />}
        </Container>
      </AppShell.Main>
      <Confirm />
      {state.status !== 'signed_out' && state.unreachable && (
        <Note tone="orange" pos="fixed" bottom={12} left={12} right={12} role="status">
          {say('unreachable')}
        </Note>
      )}
    </AppShell>
  )
}

/** What needs a session shows the login in its place, and itself again after it. */
function View({ path }: { path: string }) {
  const { status } = useSession()
  const isIn = status === 'signed_in'
  if (path === '/') return <CatalogueView />
  if (path === '/cart') return <CartView />
  if (path === '/mailbox') return <MailboxView />
  if (path === '/reset') return <ResetView />
  if (path === '/office') return isIn ? <OfficeView /> : <LoginView />
  return isIn ? <AccountView /> : <LoginView />
}

function Header({ path }: { path: string }) {
  const state = useSession()
  const { say, cart, language, prefer, strategy } = useShop()
  const isStaff = state.status === 'signed_in' && state.session.roles.includes('staff')
  const count = Object.values(cart.items).reduce((sum, quantity) => sum + quantity, 0)
  const link = (to: string, label: string, more?: React.ReactNode) => (
    <Button
      component="a"
      href={`#${to}`}
      variant={path === to ? 'filled' : 'subtle'}
      size="compact-md"
      px="xs"
      rightSection={more}
    >
      {label}
    </Button>
  )
  return (
    <Container size="lg" h="100%">
      <Group h="100%" justify="space-between" gap={4}>
        <UnstyledButton component="a" href="#/">
          <Group gap={8}>
            <Picture of="kettle" size={26} />
            <Text component="span" fw={700} ff="Georgia, serif" fz="lg">
              {say('shop')}
            </Text>
            <Badge variant="default" size="xs" tt="none" visibleFrom="md">
              {strategy}
            </Badge>
          </Group>
        </UnstyledButton>
        <SegmentedControl
          size="xs"
          hiddenFrom="sm"
          aria-label={say('language')}
          value={language}
          onChange={(value) => prefer({ language: value as Language })}
          data={LANGUAGES}
        />
        <Group component="nav" gap={2} wrap="nowrap">
          {link('/', say('catalogue'))}
          {!isStaff && link('/cart', say('cart'), count > 0 && <Count of={count} />)}
          {isStaff && link('/office', say('office'))}
          {state.status === 'signed_in' ? (
            <>
              {link('/account', say('account'))}
              <Button variant="subtle" size="compact-md" px="xs" visibleFrom="sm" onClick={() => void state.logout()}>
                {say('logout')}
              </Button>
            </>
          ) : (
            link('/account', say('login'))
          )}
          <SegmentedControl
            size="xs"
            ml="xs"
            visibleFrom="sm"
            aria-label={say('language')}
            value={language}
            onChange={(value) => prefer({ language: value as Language })}
            data={LANGUAGES}
          />
        </Group>
      </Group>
    </Container>
  )
}

function Count({ of }: { of: number }) {
  return (
    <Badge component="span" size="sm" px={6} miw={20} variant="white" color="teal" c="#066649">
      {of}
    </Badge>
  )
}

const LANGUAGES = [
  { value: 'en', label: 'EN' },
  { value: 'zh-CN', label: '中文' },
]
