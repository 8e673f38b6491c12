import type { Done, Operation } from '../durable/operations.ts'
import type { RevokerEvents } from '../durable/revoker.ts'
import { CountersignError } from '../internal/errors.ts'
import type { SessionId } from '../session/ids.ts'
import type { Context } from '../session/types.ts'
import { type Core, tell } from './core.ts'
import { MAX_FLOOR_AGE_MS } from './floor-watch.ts'

/** When a raised floor is seen by everybody. */
export function floorSeenAtMs(core: Core, notBeforeMs: number): number {
  const untilExp = core.strategy.name === 'stateless' ? core.options.accessMs : 0
  return notBeforeMs + Math.max(MAX_FLOOR_AGE_MS, untilExp)
}

/** What becomes of revocations, as events. The same whether they were done at once or had waited. */
export function reportRevocations(core: () => Core): RevokerEvents {
  return {
    done(operation, done, context, waitedMs) {
      reportDone(core(), operation, done, context)
      if (waitedMs === undefined) return
      const detail = { what: operation.is, ended: done.ids.length, waitedMs }
      tell(core(), { type: 'revocation_done', ...detail }, aboutOf(operation), context)
    },
    queued(operation, { code }, context) {
      tell(core(), { type: 'revocation_queued', what: operation.is, code }, aboutOf(operation), context)
    },
    reapplied: (count) => tell(core(), { type: 'journal_reapplied', ...count }, {}, undefined),
    journalFailed: (error) => tell(core(), { type: 'journal_failed', code: codeOf(error) }, {}, undefined),
    left: (waiting, kept) => tell(core(), { type: 'revocations_left', waiting, kept }, {}, undefined),
  }
}

function reportDone(core: Core, operation: Operation, done: Done, context: Context | undefined): void {
  const about = aboutOf(operation)
  const sessionsEnded = (endedBy: string) => {
    for (const id of done.ids) tell(core, { type: 'session_ended', endedBy }, { ...about, id }, context)
  }
  switch (operation.is) {
    case 'session':
      sessionsEnded(operation.why)
      break
    case 'subject': {
      const { block } = operation.rule
      sessionsEnded(operation.why)
      const detail = { endedBy: operation.why, ended: done.ids.length, ...(block !== undefined && { blocked: block }) }
      tell(core, { type: 'subject_ended', ...detail }, about, context)
      break
    }
    case 'roles':
      tell(core, { type: 'roles_changed', roles: operation.roles, changed: done.ids.length }, about, context)
      break
    case 'token':
      tell(core, { type: 'token_denied', jti: operation.jti, endedBy: operation.why }, about, context)
      break
    case 'everyone': {
      const effectiveAtMs = floorSeenAtMs(core, done.notBeforeMs!)
      tell(core, { type: 'everyone_ended', endedBy: operation.why, effectiveAtMs }, {}, context)
    }
  }
}

function aboutOf(operation: Operation): { id?: SessionId; subject?: string; tenant?: string } {
  const id = 'id' in operation ? { id: operation.id } : {}
  return 'subject' in operation ? { ...operation.subject, ...id } : id
}

function codeOf(error: unknown): string {
  return error instanceof CountersignError ? error.code : ((error as NodeJS.ErrnoException)?.code ?? 'unknown')
}
