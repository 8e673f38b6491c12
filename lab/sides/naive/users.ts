// The users of a naive row: what an article keeps in its database and looks at when somebody logs in.
interface User {
  roles: string[]
  theme: string
  banned: boolean
}

const users = new Map<string, User>()

export function userOf(name: string): User {
  let user = users.get(name)
  if (!user) {
    user = { roles: ['user'], theme: 'light', banned: false }
    users.set(name, user)
  }
  return user
}
