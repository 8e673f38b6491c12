import { type RequestFacts, singleHeader } from './request.ts'

/**
 * Whether somebody follows a link or types an address, so that a person will read the answer: a top-level GET navigation.
 * By Fetch Metadata where the browser sends it; else by `Accept`, in which only navigations name `text/html`.
 */
export function isNavigation(request: RequestFacts): boolean {
  return request.method === 'GET' && wantsDocument(request)
}

/** The same for any method: a form that was sent is a navigation too. */
export function wantsDocument(request: RequestFacts): boolean {
  const [mode, dest] = [one(request, 'sec-fetch-mode'), one(request, 'sec-fetch-dest')]
  if (mode !== undefined) return mode === 'navigate' && (dest === undefined || dest === 'document')
  return /(?:^|[,\s])text\/html(?:[;,\s]|$)/i.test(one(request, 'accept') ?? '')
}

/**
 * Whether a page of somebody else's has this request sent, other than by a link or a form in the whole window: an image, a frame, a
 * script, a `fetch` (the resource isolation policy of Fetch Metadata). Only browsers that send Fetch Metadata can tell.
 */
export function isEmbeddedElsewhere(request: RequestFacts): boolean {
  const site = one(request, 'sec-fetch-site')
  if (site === undefined || site === 'same-origin' || site === 'none') return false
  return !isNavigation(request)
}

/** Whether the browser withholds `SameSite=Strict` cookies: the request was begun by another site, or nobody knows. */
export function mayHideStrictCookies(request: RequestFacts): boolean {
  const site = one(request, 'sec-fetch-site')
  return site !== 'same-origin' && site !== 'none'
}

function one(request: RequestFacts, name: string): string | undefined {
  const header = singleHeader(request, name)
  // Several values are one that no browser sends.
  return header === 'several' ? '' : header.value
}
