import type { Config } from './config/config.ts'
import type { Platform } from './platform.ts'
import type { Runtime } from './server.ts'

export async function openPageTokenKey(_config: Config, _platform: Platform, runtime: Runtime): Promise<Uint8Array> {
  const key = Buffer.alloc(32)
  runtime.random(key)
  return key
}
