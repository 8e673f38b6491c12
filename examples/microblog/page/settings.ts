import type { Settings } from '../shared/types.ts'

const meta = (name: string) => document.querySelector<HTMLMetaElement>(`meta[name=${name}]`)!

/** What the server wrote into the page. */
export const settings: Settings = JSON.parse(meta('settings').content)
export const nonce = meta('csp-nonce').nonce
