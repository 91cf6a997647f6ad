// A certified OpenID provider (npm's oidc-provider) for tests. Run with its package's directory, a port and its clients (JSON).
// `POST /control` takes {login: {claims} | null}: what an account's claims are from now on, null: there is no such account.
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const [directory, port, clients] = process.argv.slice(2)
const entry = createRequire(`${directory}/package.json`).resolve(directory)
const { default: Provider } = await import(pathToFileURL(entry))
const accounts = new Map()
const issuer = `http://127.0.0.1:${port}`

const provider = new Provider(issuer, {
  clients: JSON.parse(clients),
  async findAccount (ctx, id) {
    if (accounts.get(id) === null) return undefined
    return { accountId: id, claims: async () => ({ sub: id, preferred_username: id, ...accounts.get(id) }) }
  },
  claims: {
    openid: ['sub', 'preferred_username', 'groups'],
    email: ['email', 'email_verified'],
    profile: ['given_name', 'family_name']
  },
  conformIdTokenClaims: false,
  cookies: { keys: ['a secret of the tests'] },
  issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
  rotateRefreshToken: true,
  features: { backchannelLogout: { enabled: true }, rpInitiatedLogout: { enabled: true } },
  // Its own dispatcher reaches no loopback addresses, which is where the tests are.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  pkce: { required: () => true }
})
const callback = provider.callback()

createServer((request, response) => {
  if (request.url !== '/control') return callback(request, response)
  let body = ''
  request.on('data', (chunk) => { body += chunk })
  request.on('end', () => {
    for (const [login, claims] of Object.entries(JSON.parse(body))) accounts.set(login, claims)
    response.end('{}')
  })
}).listen(Number(port), '127.0.0.1', () => console.log('ready'))
