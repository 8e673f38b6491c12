import { Avatar, Badge, Button, Group, NativeSelect, Paper, Stack, Text, Title } from '@mantine/core'
import { useSession } from 'countersign/browser/react'
import { type Person, ROLES, type Role } from '../../shared/types.ts'
import { Bound } from '../parts/bound.tsx'
import { Problem, useAttempt } from '../parts/problem.tsx'
import { isAdmin, isStaff } from '../parts/roles.ts'
import { useLoaded } from '../parts/use-loaded.ts'
import { api } from '../session/api.ts'
import type { Word } from '../session/live.ts'
import { useWords } from '../words/words.tsx'

const isStale = ({ kind }: Word) => kind === 'people'

/** For moderators and admins: who is here, bans, and roles. */
export function People() {
  const t = useWords()
  const session = useSession()
  const { subject, roles } = session.status === 'signed_in' ? session.session : { subject: '', roles: [] }
  const [people] = useLoaded(api.people, isStale)
  const { attempt, busy, code } = useAttempt()
  if (!isStaff(roles)) return <Text>{t.forbidden}</Text>
  return (
    <Stack>
      <Title order={1} fz="h3">
        {t.people}
      </Title>
      <Text fz="sm">{t.peopleHint}</Text>
      <Bound />
      <Problem code={code} />
      {people?.map((person) => {
        const isBelow = person.role === 'user' || (person.role === 'moderator' && isAdmin(roles))
        return (
          <Paper component="article" aria-label={person.name} key={person.subject} withBorder p="md">
            <Group justify="space-between">
              <Who {...person} />
              <Group gap="xs">
                {isAdmin(roles) && person.subject !== subject && (
                  <NativeSelect
                    size="xs"
                    aria-label={t.roleOf(person.name)}
                    value={person.role}
                    disabled={busy}
                    onChange={(event) => {
                      const role = event.currentTarget.value as Role
                      void attempt(() => api.setRole(person.subject, role))
                    }}
                    data={ROLES.map((role) => ({ value: role, label: t.roles[role]! }))}
                  />
                )}
                {isBelow && (
                  <Button
                    size="xs"
                    color={person.banned ? 'gray.8' : 'red.9'}
                    disabled={busy}
                    onClick={() => void attempt(() => api.ban(person.subject, !person.banned))}
                  >
                    {person.banned ? t.unban : t.ban}
                  </Button>
                )}
              </Group>
            </Group>
          </Paper>
        )
      })}
    </Stack>
  )
}

function Who({ name, role, banned }: Person) {
  const t = useWords()
  return (
    <Group gap="xs">
      <Avatar name={name} alt="" size="sm" color="indigo.9" variant="filled" />
      <Text fw={700}>{name}</Text>
      <Badge color="indigo.9" variant="outline" tt="none">
        {t.roles[role]}
      </Badge>
      {banned && (
        <Badge color="red.9" tt="none">
          {t.banned}
        </Badge>
      )}
    </Group>
  )
}
