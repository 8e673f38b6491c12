import { Alert } from '@mantine/core'
import { useSession } from 'countersign/browser/react'
import { useWords } from '../words/words.tsx'

/** An outage is not a logout: the page stays as it is and says so. */
export function Unreachable() {
  const t = useWords()
  const session = useSession()
  if (session.status === 'signed_out' || !session.unreachable) return null
  return (
    <Alert color="orange" mb="md" role="status">
      {t.unreachable}
    </Alert>
  )
}
