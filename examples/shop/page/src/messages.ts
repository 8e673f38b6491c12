import { en } from './messages-en.ts'
import { zh } from './messages-zh.ts'

export type Language = 'en' | 'zh-CN'
export type MessageKey = keyof typeof en
export type Say = (key: MessageKey, values?: Readonly<Record<string, string | number>>) => string

export function sayIn(language: Language): Say {
  const messages = language === 'zh-CN' ? zh : en
  return (key, values = {}) => messages[key].replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ''))
}

/** Why a session ended, in words. */
export function reasonIn(say: Say, reason: string, limit: number): string {
  const known = ['limit', 'password_changed', 'ended_by_owner', 'expired_idle', 'banned', 'other_account'] as const
  const key = known.find((one) => one === reason)
  return key ? say(key, { limit }) : say('somehow', { reason: reason.replaceAll('_', ' ') })
}
