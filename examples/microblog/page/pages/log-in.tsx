import { Alert, Group, Text } from '@mantine/core'
import { useSession } from 'countersign/browser/react'
import { AccountForm } from '../parts/account-form.tsx'
import { Link } from '../parts/link.tsx'
import { useWords } from '../words/words.tsx'

export function LogIn() {
  const t = useWords()
  return (
    <>
      <WhyOver />
      <AccountForm>
        <Group gap="xs">
          <Text fz="sm">{t.noAccount}</Text>
          <Link to={`/register${location.search}`}>{t.register}</Link>
        </Group>
      </AccountForm>
    </>
  )
}

/** Nobody is sent here without being told why, except who comes for the first time. */
function WhyOver() {
  const t = useWords()
  const session = useSession()
  if (session.status !== 'signed_out' || ['missing', 'unauthenticated'].includes(session.reason)) return null
  return (
    <Alert color="indigo.9" mb="md" maw={420} mx="auto" role="status">
      {t.over[session.reason] ?? t.overOther}
    </Alert>
  )
}
