// An OpenID provider for trying things out. Nothing in it is kept, and everybody who says a name is let in.
import { Provider } from 'oidc-provider'

/** @returns The issuer. */
export async function startProvider(
  port: number,
  client: { readonly id: string; readonly secret: string; readonly callback: string },
): Promise<string> {
  const issuer = `http://localhost:${port}`
  // It warns that it is for development. It is.
  console.warn = () => {}
  const provider = new Provider(issuer, {
    clients: [{ client_id: client.id, client_secret: client.secret, redirect_uris: [client.callback] }],
    cookies: { keys: ['only for this example'] },
    pkce: { required: () => true },
  })
  await new Promise<void>((resolve) => provider.listen(port, () => resolve()))
  return issuer
}
