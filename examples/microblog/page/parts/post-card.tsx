import { Avatar, Button, Group, Paper, Text } from '@mantine/core'
import type { Post } from '../../shared/types.ts'
import { api } from '../session/api.ts'
import { useLanguage, useWords } from '../words/words.tsx'
import { useAttempt } from './problem.tsx'

export function PostCard({ post, canRemove }: { readonly post: Post; readonly canRemove: boolean }) {
  const t = useWords()
  const { language } = useLanguage()
  const { attempt, busy } = useAttempt()
  const when = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' }).format(post.at)
  return (
    <Paper component="article" withBorder p="md">
      <Group justify="space-between" gap="xs">
        <Group gap="xs">
          <Avatar name={post.name} alt="" size="sm" color="indigo.9" variant="filled" />
          <Text fw={700}>{post.name}</Text>
        </Group>
        <Text component="time" fz="xs" c="gray.7">
          {when}
        </Text>
      </Group>
      <Text className="post" my="xs">
        {post.text}
      </Text>
      <Group gap="xs">
        <Button
          size="compact-sm"
          variant={post.liked ? 'light' : 'default'}
          aria-pressed={post.liked}
          aria-label={`${t.like} ${post.likes}`}
          leftSection={<Heart />}
          onClick={() => void attempt(() => api.like(post.id, !post.liked))}
        >
          {post.likes}
        </Button>
        {canRemove && (
          <Button
            size="compact-sm"
            variant="default"
            disabled={busy}
            onClick={() => void attempt(() => api.remove(post.id))}
          >
            {t.remove}
          </Button>
        )}
      </Group>
    </Paper>
  )
}

const Heart = () => (
  <svg className="heart" viewBox="0 0 24 24" aria-hidden="true">
    <path d="M12 20S4 15 4 9a4.5 4.5 0 0 1 8-2.8A4.5 4.5 0 0 1 20 9c0 6-8 11-8 11z" />
  </svg>
)
