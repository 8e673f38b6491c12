import { Alert, Group, Text } from '@mantine/core'
import { useSession } from 'countersign/browser/react'
import { AccountForm } from '../parts/account-form.tsx'
import { Link } from '../parts/link.tsx'
import { whyOver } from '../session/why-over.ts'
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
  const why = session.status === 'signed_out' ? whyOver(session.reason) : undefined
  if (why === undefined) return null
  return (
    <Alert color="indigo" mb="md" maw={420} mx="auto" role="status">
      {t.over[why] ?? t.overOther}
    </Alert>
  )
}
