import { COMMON_WORDS } from './common-words.ts'

/** Rows that fingers or the mind run along, in either direction, from three characters on. */
const RUNS = [
  '12345678901234567890',
  'abcdefghijklmnopqrstuvwxyz',
  'qwertyuiop[]',
  'asdfghjkl;',
  'zxcvbnm,./',
  'qwertzuiop',
  'yxcvbnm',
  'azertyuiop',
  'qsdfghjklm',
  'wxcvbn',
  'qazwsxedcrfvtgbyhnujmikolp',
  '1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/',
  'zaq12wsxcde34rfvbgt56yhnmju78ik,',
  '1q2w3e4r5t6y7u8i9o0p',
  'q1w2e3r4t5y6u7i8o9p0',
  'qweasdzxc',
  'qwerasdfzxcv',
  '!@#$%^&*()',
  '147258369',
  '741852963',
].flatMap((run) => [run, [...run].reverse().join('')])
const MIN_RUN = 3
const MAX_PARTS = 3
const MAX_DIGITS = 4
const MIN_WORD = 3
/** A text shorter than this, written again and again, is no longer password than it is once. */
const MIN_UNIT = 8
/** Nobody writes more than this out of three parts without repeating it, and the search must stay quick. */
const MAX_LENGTH = 128

const LEET: Readonly<Record<string, string>> = {
  '@': 'a',
  '4': 'a',
  '3': 'e',
  '1': 'i',
  '!': 'i',
  '0': 'o',
  '5': 's',
  $: 's',
  '7': 't',
}

/**
 * Whether at most three everyday parts make up the whole of a password: a common word (also as `p@ssw0rd`), a context
 * word, a run such as `qwertyuiop` or `1234567890`, one character or part over and over, up to four digits. Two signs
 * between parts do not count. A password that merely contains such parts is fine: the whole is judged.
 *
 * ASVS 6.2.4 asks for the 3000 most common passwords that fit the policy. Public lists hold few of 15 characters and
 * more, and those they hold are built like this; so the rule is used instead of a list, and refuses millions. It is
 * not a list of leaked passwords: for that (ASVS 6.2.12) there is the option `refuse`.
 */
export function isEasyToGuess(password: string, contextWords: readonly string[] = []): boolean {
  const text = password.normalize('NFKC').toLowerCase()
  const unit = unitOf(text)
  if (unit.length < text.length && (unit.length < MIN_UNIT || isEasyToGuess(unit, contextWords))) return true
  if (text.length > MAX_LENGTH) return false
  const words = [...COMMON_WORDS, ...contextWords]
  const plain = text.replace(/[@431!05$7]/g, (sign) => LEET[sign]!)

  // Each round goes one part further from every place that is reached.
  let reached = new Set([0, skipSigns(text, 0)])
  for (let parts = 1; parts <= MAX_PARTS; parts++) {
    const next = new Set<number>()
    for (const from of reached) {
      for (const end of endsOfPart(text, plain, from, words)) {
        for (const stop of [end, skipSigns(text, end)]) {
          if (stop === text.length) return true
          next.add(stop)
        }
      }
    }
    reached = next
  }
  return false
}

/** Words that an identifier or the name of a site is made of, in the form in which passwords are searched for them. */
export function contextWordsOf(...texts: readonly string[]): readonly string[] {
  const folded = texts.map((text) => text.normalize('NFKC').toLowerCase())
  const all = folded.flatMap((text) => [text, ...text.split(/[^\p{L}\p{N}]+/u)])
  return [...new Set(all)].filter((word) => word.length >= MIN_WORD)
}

function endsOfPart(text: string, plain: string, from: number, words: readonly string[]): Set<number> {
  const ends = new Set<number>()
  const add = (length: number) => {
    const part = text.slice(from, from + length)
    for (let end = from + length; ; end += length) {
      ends.add(end)
      if (length === 0 || !text.startsWith(part, end)) break
    }
  }
  for (const word of words) {
    if (text.startsWith(word, from) || plain.startsWith(word, from)) add(word.length)
  }
  for (const run of RUNS) {
    for (let at = run.indexOf(text[from] ?? ' '); at >= 0; at = run.indexOf(text[from]!, at + 1)) {
      let length = 1
      while (at + length < run.length && run[at + length] === text[from + length]) length++
      for (let part = MIN_RUN; part <= length; part++) add(part)
    }
  }
  const digits = /^\d+/.exec(text.slice(from, from + MAX_DIGITS))?.[0].length ?? 0
  for (let length = 1; length <= digits; length++) add(length)
  let same = 1
  while (from + same < text.length && text[from + same] === text[from]) same++
  if (same >= MIN_RUN) ends.add(from + same)
  return ends
}

/** Past at most two characters that are neither letter nor digit: more than two may well be the secret. */
function skipSigns(text: string, from: number): number {
  const signs = /[^\p{L}\p{N}]{0,2}/uy
  signs.lastIndex = from
  signs.test(text)
  return signs.lastIndex
}

/** The shortest text whose repetition, the last one perhaps cut short, gives `text`. */
function unitOf(text: string): string {
  for (let length = 1; length <= text.length / 2; length++) {
    if (text.slice(length) === text.slice(0, text.length - length)) return text.slice(0, length)
  }
  return text
}
