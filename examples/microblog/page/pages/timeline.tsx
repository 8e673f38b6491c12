import { Stack, Text, VisuallyHidden } from '@mantine/core'
import { useSession } from 'countersign/browser/react'
import { useEffect } from 'react'
import type { Post } from '../../shared/types.ts'
import { Composer } from '../parts/composer.tsx'
import { PostCard } from '../parts/post-card.tsx'
import { isStaff } from '../parts/roles.ts'
import { useLoaded } from '../parts/use-loaded.ts'
import { api } from '../session/api.ts'
import { onNews, type Word } from '../session/live.ts'
import { useWords } from '../words/words.tsx'

export function Timeline() {
  const t = useWords()
  const session = useSession()
  const { subject, roles } = session.status === 'signed_in' ? session.session : { subject: '', roles: [] }
  const [posts, setPosts] = useLoaded<readonly Post[]>(api.posts)
  useEffect(() => onNews((word) => setPosts((shown) => shown && after(shown, word, subject))), [setPosts, subject])
  return (
    <Stack>
      <VisuallyHidden component="h1">{t.home}</VisuallyHidden>
      <Composer />
      {posts?.length === 0 && <Text>{t.noPosts}</Text>}
      {posts?.map((post) => (
        <PostCard key={post.id} post={post} canRemove={post.author === subject || isStaff(roles)} />
      ))}
    </Stack>
  )
}

/** The posts after a piece of news, as `subject` sees them. */
function after(posts: readonly Post[], word: Word, subject: string): readonly Post[] {
  if (word.kind === 'post') return [word.post, ...posts.filter(({ id }) => id !== word.post.id)]
  if (word.kind === 'gone') return posts.filter(({ id }) => id !== word.id)
  if (word.kind !== 'likes') return posts
  const { id, likes, by, liked } = word
  return posts.map((post) => (post.id === id ? { ...post, likes, ...(by === subject && { liked }) } : post))
}
