import { openFaultProxy } from '../rigs/tcp-fault-proxy.ts'
import { type Installation, openInstallation } from './crash-installation.ts'
import { CrashServer } from './crash-server.ts'

/** An installation with two servers, each in a process of its own behind a network of its own. */
export interface CrashRig extends AsyncDisposable, Pick<Installation, 'mysql' | 'rootKey' | 'openDoor'> {
  readonly servers: readonly CrashServer[]
}

export async function openCrashRig(): Promise<CrashRig> {
  await using stack = new AsyncDisposableStack()
  const installation = stack.use(await openInstallation())
  const { mysql, rootKey, openDoor } = installation
  const servers: CrashServer[] = []
  for (const name of ['replica-1', 'replica-2']) {
    const network = await openFaultProxy(mysql)
    const server = stack.use(new CrashServer(name, network, installation.envOf(name, network)))
    await server.start()
    servers.push(server)
  }
  const owned = stack.move()
  return { mysql, rootKey, openDoor, servers, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}
