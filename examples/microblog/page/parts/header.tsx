import { Box, Button, Container, Group, NativeSelect, Text } from '@mantine/core'
import { useSession } from 'countersign/browser/react'
import { settings } from '../settings.ts'
import { LANGUAGES, type Language, useLanguage, useWords } from '../words/words.tsx'
import { Link } from './link.tsx'
import { isStaff } from './roles.ts'

export function Header() {
  const t = useWords()
  const session = useSession()
  const isIn = session.status === 'signed_in'
  return (
    <Box component="header" bg="white" style={{ borderBottom: '1px solid var(--mantine-color-gray-3)' }}>
      <Container size="sm" py="sm">
        <Group justify="space-between" wrap="nowrap">
          <Group gap="xs" wrap="nowrap">
            <Text fw={800} fz="lg" c="indigo.9">
              {t.title}
            </Text>
            <Text fz="xs" c="gray.7">
              {settings.strategy}
            </Text>
          </Group>
          <Group gap="xs" wrap="nowrap">
            <LanguageSwitch />
            {isIn && (
              <Button size="xs" variant="default" onClick={() => void session.logout()}>
                {t.logOut}
              </Button>
            )}
          </Group>
        </Group>
        {isIn && (
          <Group component="nav" aria-label={t.menu} gap="lg" mt="xs">
            <Link to="/">{t.home}</Link>
            <Link to="/devices">{t.devices}</Link>
            {isStaff(session.session.roles) && <Link to="/people">{t.people}</Link>}
            <Link to="/strategy">{t.strategy}</Link>
          </Group>
        )}
      </Container>
    </Box>
  )
}

function LanguageSwitch() {
  const t = useWords()
  const { language, choose } = useLanguage()
  return (
    <NativeSelect
      size="xs"
      aria-label={t.language}
      value={language}
      onChange={(event) => choose(event.currentTarget.value as Language)}
      data={Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }))}
    />
  )
}
