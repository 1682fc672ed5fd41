import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import type { Config } from '../config/config.ts'
import { loadProcessConfig } from '../config/process-config.ts'
import { startServer } from '../server.ts'

/** Serves until it is told to stop, then drains. */
export async function serveCommand(stop: AbortSignal): Promise<number> {
  const config = loadProcessConfig()
  const server = await startServer(config)
  process.stdout.write(welcome(config, server.grpcPort, server.httpPort))
  if (!existsSync(config.rootKeyFile)) {
    process.stdout.write(
      `\nThere is no ${config.rootKeyFile}. Stop this server, run tenure bootstrap once, and start again.\n`,
    )
  }
  if (!stop.aborted) await once(stop, 'abort')
  process.stdout.write('\nStopping: finishing what is under way.\n')
  await server[Symbol.asyncDispose]()
  return 0
}

function welcome(config: Config, grpcPort: number, httpPort: number): string {
  const at = (host: string, port: number) => `${isIPv6(host) ? `[${host}]` : host}:${port}`
  const grpc = at(config.grpcAddress.host, grpcPort)
  const http = at(config.httpAddress.host, httpPort)
  const scheme = config.tls === undefined ? 'http' : 'https'
  const key = `authorization: Bearer $(cat ${config.rootKeyFile})`
  const plain = config.tls === undefined ? '-plaintext ' : ''
  const curl = `curl -sS -H "${key}" -H 'content-type: application/json' ${scheme}://${http}/tenure.v1`
  return [
    `Tenure listens: gRPC on ${grpc}; Connect, gRPC-Web and JSON on ${scheme}://${http}`,
    '',
    'Try, from this folder:',
    `  grpcurl ${plain}${grpc} list`,
    `  grpcurl ${plain}-H "${key}" -d '{"tenant_id": "acme"}' ${grpc} tenure.v1.TenantService/CreateTenant`,
    `  ${curl}.WorkspaceService/CreateWorkspace -d '{"parent": "tenants/acme", "workspace_id": "prod"}'`,
    `  ${curl}.AccessService/GetCaller -d '{}'`,
    `  curl -sS ${scheme}://${http}/readyz`,
    '',
    'Ctrl-C stops it.',
    '',
  ].join('\n')
}
