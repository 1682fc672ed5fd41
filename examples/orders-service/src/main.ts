import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createLog } from './log.ts'
import { openDatabase } from './open-database.ts'
import { createOrdersServer } from './orders-server.ts'
import { readSettings } from './settings.ts'
import { openTenancy } from './tenancy.ts'

/** How long requests under way may take once the service is told to stop. */
const graceMs = 10_000

async function main(): Promise<void> {
  const settings = readSettings(process.env)
  const log = createLog((line) => process.stderr.write(line))
  const tenancy = await openTenancy(settings, log)
  const database = await openDatabase(settings.databaseUrl, tenancy.guard)
  try {
    const server = createOrdersServer(settings, database, tenancy, log)
    server.listen(settings.port, settings.host)
    await once(server, 'listening')
    const { address, family, port } = server.address() as AddressInfo
    const host = family === 'IPv6' ? `[${address}]` : address
    process.stdout.write(`orders-service listens on http://${host}:${port}\n`)
    await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')])
    await stop(server)
  } finally {
    await database.destroy()
    await tenancy.reporter?.[Symbol.asyncDispose]()
  }
}

/** Finishes what was begun, takes nothing new, and ends. */
async function stop(server: Server): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  server.closeIdleConnections()
  const timer = setTimeout(() => server.closeAllConnections(), graceMs)
  await closed
  clearTimeout(timer)
}

try {
  await main()
} catch (error) {
  process.stderr.write(`orders-service: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
