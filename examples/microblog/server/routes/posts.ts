import { type Request, type Response, Router } from 'express'
import { MAX_TEXT } from '../../shared/types.ts'
import { type Blog, refuse, who } from '../blog.ts'

export function postRoutes({ auth, feed, repository }: Blog): Router {
  const router = Router()

  router.get('/posts', auth.guard(), async (request, response) => {
    response.json(await repository.posts(who(request).subject))
  })

  router.post('/posts', auth.guard(), async (request, response) => {
    const text = typeof request.body?.text === 'string' ? request.body.text.trim() : ''
    if (text === '' || [...text].length > MAX_TEXT) return refuse(response, 400, 'invalid_request')
    const post = await repository.addPost(who(request).subject, text)
    await feed.tell({ kind: 'post', post })
    response.status(201).json(post)
  })

  router.delete('/posts/:id', auth.guard(), async (request, response) => {
    const { subject, roles } = who(request)
    const post = await repository.post(String(request.params.id), subject)
    if (!post) return refuse(response, 404, 'not_found')
    const isStaff = roles.includes('moderator') || roles.includes('admin')
    if (post.author !== subject && !isStaff) {
      return refuse(response, 403, 'insufficient_scope')
    }
    await repository.removePost(post.id)
    await feed.tell({ kind: 'gone', id: post.id })
    response.status(204).end()
  })

  const like = (liked: boolean) => async (request: Request, response: Response) => {
    const { subject } = who(request)
    const id = String(request.params.id)
    if (!(await repository.post(id, subject))) return refuse(response, 404, 'not_found')
    const likes = await repository.like(id, subject, liked)
    await feed.tell({ kind: 'likes', id, likes, by: subject, liked })
    response.json({ likes })
  }
  router.put('/posts/:id/like', auth.guard(), like(true))
  router.delete('/posts/:id/like', auth.guard(), like(false))

  return router
}
