import { BOUNCE_POLICY } from './security-headers.ts'

/** Sends the form of {@link bounceDocument} where scripts run. A file of its own, since nothing inline may run. */
export const BOUNCE_SCRIPT = 'document.forms[0].submit()\n'

/** Headers of the document. */
export const BOUNCE_HEADERS: Readonly<Record<string, string>> = Object.freeze({
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy': BOUNCE_POLICY,
  'x-content-type-options': 'nosniff',
  // Not `no-referrer`: with that, browsers send the form with `Origin: null`.
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
})

/**
 * A page of our own origin that asks for fresh credentials and comes back. A link from a mail arrives without
 * `SameSite=Strict` cookies; a form that this page sends has them, and changes something by POST, as it should. Needs one
 * click where no scripts run.
 *
 * @param at - Path that takes the POST.
 * @param script - Path of {@link BOUNCE_SCRIPT}.
 * @param returnTo - From `returnPath`.
 */
export function bounceDocument(at: string, script: string, returnTo: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="robots" content="noindex">
<title>One moment</title>
<form method="post" action="${escapeHtml(at)}">
<input type="hidden" name="returnTo" value="${escapeHtml(returnTo)}">
<button>Continue</button>
</form>
<script src="${escapeHtml(script)}"></script>
</html>
`
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
