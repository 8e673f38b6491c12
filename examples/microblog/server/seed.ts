// People and posts to begin with.
import type { Role } from '../shared/types.ts'
import type { Blog } from './blog.ts'

/** Everybody's: it is a demonstration. */
export const PASSWORD = 'violet kettle orbits slowly'

export const PEOPLE: readonly { readonly name: string; readonly role: Role }[] = [
  { name: 'ada', role: 'admin' },
  { name: 'grace', role: 'admin' },
  { name: 'mo', role: 'moderator' },
  { name: 'uma', role: 'user' },
  { name: 'lin', role: 'user' },
]

/** Who, how many minutes ago, what, and who likes it. */
const POSTS: readonly (readonly [string, number, string, string])[] = [
  ['lin', 540, '大家好！今天第一次在这里发帖。', 'ada uma mo'],
  ['uma', 380, 'Bread is in the oven. The whole flat smells of Sunday.', 'lin'],
  ['grace', 210, 'A ship in port is safe, but that is not what ships are built for.', 'ada uma lin'],
  ['mo', 95, 'House rule of the week: be kind, or be quiet.', 'grace ada'],
  ['lin', 34, '夜里散步，月亮很圆。', 'uma'],
  ['ada', 6, 'The engine weaves algebraic patterns just as the loom weaves flowers and leaves.', 'grace'],
]

/** Does nothing where somebody has been already. */
export async function seed({ accounts, repository }: Pick<Blog, 'accounts' | 'repository'>): Promise<void> {
  if (Object.keys(await repository.people()).length > 0) return
  const subjects = new Map<string, string>()
  for (const { name, role } of PEOPLE) {
    const registered = await accounts.register({ identifier: name, password: PASSWORD, roles: [role] })
    if (!registered.ok) throw new Error(`${name} could not be registered: ${registered.reason}`)
    subjects.set(name, registered.account.subject)
    await repository.addPerson(registered.account.subject, name)
  }
  for (const [name, minutes, text, likedBy] of POSTS) {
    const { id } = await repository.addPost(subjects.get(name)!, text, Date.now() - minutes * 60_000)
    for (const other of likedBy.split(' ')) await repository.like(id, subjects.get(other)!, true)
  }
}
