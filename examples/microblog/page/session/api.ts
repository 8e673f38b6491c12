import type { Device, Person, Post, Role } from '../../shared/types.ts'
import { client } from './client.ts'

/** An answer that is no success. */
export class Refusal extends Error {
  readonly code: string
  constructor(code: string) {
    super(code)
    this.code = code
  }
}

async function ask<T = void>(method: string, path: string, body?: object): Promise<T> {
  const response = await client.authFetch(`/api${path}`, {
    method,
    ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  })
  if (response.status === 204) return undefined as T
  const answer = await response.json().catch(() => ({ code: 'unavailable' }))
  if (!response.ok) throw new Refusal(answer.code)
  return answer
}

/** The server, as a list of functions. All throw {@link Refusal}, or what `fetch` throws. */
export const api = {
  register: (name: string, password: string) => ask('POST', '/register', { name, password }),
  logOutEverywhere: () => ask('POST', '/logout-everywhere'),
  posts: () => ask<Post[]>('GET', '/posts'),
  post: (text: string) => ask<Post>('POST', '/posts', { text }),
  remove: (id: string) => ask('DELETE', `/posts/${id}`),
  like: (id: string, liked: boolean) => ask<{ likes: number }>(liked ? 'PUT' : 'DELETE', `/posts/${id}/like`),
  devices: () => ask<Device[]>('GET', '/devices'),
  endDevice: (id: string) => ask('DELETE', `/devices/${id}`),
  people: () => ask<Person[]>('GET', '/people'),
  ban: (subject: string, banned: boolean) => ask(banned ? 'PUT' : 'DELETE', `/people/${subject}/ban`),
  setRole: (subject: string, role: Role) => ask('PUT', `/people/${subject}/role`, { role }),
}
