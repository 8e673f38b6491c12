import { invalidInput } from '../../internal/errors.ts'
import type { PasswordProblem } from '../types.ts'
import { contextWordsOf, isEasyToGuess } from './easy-to-guess.ts'

/**
 * Decides about new passwords beyond the built-in rule, for example by asking a service for leaked ones (ASVS 6.2.12).
 * True refuses. What it throws reaches the caller of `register` or `changePassword`, and nothing is stored; a check
 * that should let people in when its own source is down catches that itself and answers false.
 *
 * @param password - The password in clear. Never log it.
 * @param words - What it must not be made of: the identifier, its parts, and the option `words`. Lower case.
 */
export type RefusePassword = (password: string, words: readonly string[]) => boolean | Promise<boolean>

export interface PolicyOptions {
  readonly minLength: number
  readonly maxBytes: number
  readonly words: readonly string[]
  readonly refuse: RefusePassword | undefined
}

/** The rules that a new password has to meet. There are none about the kinds of characters in it (ASVS 6.2.5). */
export interface PasswordPolicy {
  /** False for what no policy of this kind ever accepted, so that it need not be hashed to be wrong. */
  canBeRight(password: string): boolean
  /** What is wrong with the length of a new password. */
  lengthProblem(password: string): PasswordProblem | undefined
  /** What is wrong with a new password for the account with this identifier. Calls `refuse` last. */
  problem(password: string, identifier: string): Promise<PasswordProblem | undefined>
}

export function createPolicy(options: PolicyOptions): PasswordPolicy {
  const { minLength, maxBytes, refuse } = options
  const isTooLong = (password: string) => Buffer.byteLength(password, 'utf8') > maxBytes
  const lengthProblem = (password: string): PasswordProblem | undefined => {
    if (isTooLong(password)) return 'password_too_long'
    return [...password].length < minLength ? 'password_too_short' : undefined
  }
  return {
    canBeRight: (password) => !isTooLong(password) && isText(password),
    lengthProblem,
    async problem(password, identifier) {
      const length = lengthProblem(password)
      if (length) return length
      if (!isText(password)) return 'password_refused'
      const words = contextWordsOf(identifier, ...options.words)
      if (isEasyToGuess(password, words)) return 'password_refused'
      return (await refuse?.(password, words)) ? 'password_refused' : undefined
    },
  }
}

/** False for text with half a surrogate pair, which has no bytes of its own and would equal other such text. */
function isText(password: string): boolean {
  return !/\p{Cs}/u.test(password)
}

/** The type says so already; a JSON body may not. */
export function checkPasswordType(password: unknown, name: string): void {
  if (typeof password !== 'string') throw invalidInput(name, 'must be a string')
}
