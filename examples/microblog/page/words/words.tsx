import { createContext, type ReactNode, useContext, useEffect, useState } from 'react'
import { en, type Words } from './en.ts'
import { zh } from './zh.ts'

export const LANGUAGES = { en: 'English', 'zh-CN': '简体中文' } as const
export type Language = keyof typeof LANGUAGES

const WORDS: Readonly<Record<Language, Words>> = { en, 'zh-CN': zh }
const KEY = 'language'

const Chosen = createContext<{ language: Language; choose(language: Language): void } | undefined>(undefined)

function first(): Language {
  const wanted = localStorage.getItem(KEY) ?? navigator.language
  return wanted.startsWith('zh') ? 'zh-CN' : 'en'
}

export function WordsProvider({ children }: { readonly children: ReactNode }) {
  const [language, setLanguage] = useState<Language>(first)
  useEffect(() => {
    document.documentElement.lang = language
    document.title = WORDS[language].title
  }, [language])
  const choose = (next: Language) => {
    localStorage.setItem(KEY, next)
    setLanguage(next)
  }
  return <Chosen value={{ language, choose }}>{children}</Chosen>
}

export const useLanguage = () => useContext(Chosen)!
export const useWords = (): Words => WORDS[useLanguage().language]
