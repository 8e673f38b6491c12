import { Group, Text } from '@mantine/core'
import { AccountForm } from '../parts/account-form.tsx'
import { Link } from '../parts/link.tsx'
import { useWords } from '../words/words.tsx'

export function Register() {
  const t = useWords()
  return (
    <AccountForm isNew>
      <Group gap="xs">
        <Text fz="sm">{t.hasAccount}</Text>
        <Link to={`/login${location.search}`}>{t.logIn}</Link>
      </Group>
    </AccountForm>
  )
}
