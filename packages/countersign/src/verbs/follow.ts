import { callListener } from '../events/emitter.ts'
import type { SessionId } from '../session/ids.ts'
import { idleDeadlineMs, touchAfterMs } from '../session/lifetimes.ts'
import { type Refused, refuse } from '../session/reasons.ts'
import type { SessionRecord } from '../session/record.ts'
import type { Checked, FollowDemands, Following, FollowOn, Session } from '../session/types.ts'
import { sessionOf } from '../session/view.ts'
import { checkSessionId } from './check-id.ts'
import { type Core, windowOf } from './core.ts'
import { sameTexts } from './followed.ts'
import type { Follower } from './follower.ts'
import { judgeDemands } from './judge.ts'
import { remedied } from './verify.ts'

/** `Records.follow`. */
export function follow(
  core: Core,
  follower: Follower,
  id: SessionId,
  on: FollowOn<Session<any, any>>,
  demands: FollowDemands = {},
): Following<Session<any, any>> {
  checkSessionId(id)
  let record: SessionRecord | undefined
  let session: Session<any, any> | undefined
  let isOver = false
  let answer!: { resolve(checked: Checked<Session<any, any>>): void; reject(error: unknown): void }
  const first = new Promise<Checked<Session<any, any>>>((resolve, reject) => {
    answer = { resolve, reject }
  })
  // Whoever only waits for the end need not look at it.
  first.catch(() => undefined)

  const stop = () => {
    isOver = true
    leave()
  }
  const end = (refused: Refused) => {
    if (isOver) return
    stop()
    if (session) callListener('the end of a session', () => on.over(refused))
    else answer.resolve(refused)
  }
  const lacks = (roles: readonly string[]) => demands.roles && !demands.roles.some((role) => roles.includes(role))
  const see = async (read: SessionRecord) => {
    record = read
    // Before anything that can fail.
    if (session && lacks(read.roles)) return end(refuse('forbidden'))
    const current = core.data.current(read)
    const next = sessionOf(current instanceof Promise ? await current : current, core.data)
    // Something newer was read while the schema was asked.
    if (isOver || record !== read) return
    const before = session
    if (!before) {
      const refused = judgeDemands(core, next, demands, core.nowMs())
      if (refused) return end(remedied(core, refused))
    }
    session = next
    if (!before) return answer.resolve({ ok: true, session: next })
    if (before.version !== next.version || !sameTexts(before.roles, next.roles))
      callListener('a change of a session', () => on.changed?.(next, before))
  }
  const failed = (error: unknown) => {
    if (isOver) return
    if (!session) {
      stop()
      answer.reject(error)
    } else if ((error as { code?: unknown }).code === 'ERR_CLOSED') {
      stop()
      callListener('lost sessions', () => on.lost?.(error))
    }
  }
  const leave = follower.add(id, {
    live: (read) => void see(read).catch(failed),
    over: (refused) => end(remedied(core, refused)),
    failed,
    unsure: (sinceMs, isOverdue) => callListener('an unsure session', () => on.unsure?.(sinceMs, isOverdue)),
  })

  return Object.freeze({
    first,
    get session() {
      return session
    },
    used() {
      if (isOver || !record) return
      const nowMs = core.nowMs()
      const windowMs = windowOf(core, record)
      if (nowMs <= touchAfterMs(windowMs, record.lastSeenAtMs)) return
      const idleAtMs = idleDeadlineMs(windowMs, record.absoluteAtMs, nowMs)
      core.background.run(id, () => core.sessions.touch(id, { idleAtMs }, nowMs))
    },
    stop,
  })
}
