import { expect, test } from 'vitest'
import { heldNames, holdName } from '../../../src/storage/mysql/named-lock.ts'
import { openFaultProxy } from '../../rigs/tcp-fault-proxy.ts'
import { mysqlAdministrator } from '../../support/test-database.ts'
import { openMysqlCell } from './mysql-cell.ts'

const purpose = 'replica-one'
/** Longer than it takes to notice, and to come back. */
const noticedMs = 13_000

test('a server whose connection was lost on the way takes its name back from itself, and calls nobody a thief', async () => {
  await using rig = await openMysqlCell()
  await using network = await openFaultProxy(mysqlAdministrator())
  const failures: string[] = []
  let port = network.port
  const server = {
    ...rig.server,
    get port() {
      return port
    },
  }
  await using name = await holdName(server, purpose, 0, (what) => void failures.push(what))
  expect(name).toBeDefined()
  // Nothing gets through any more, ends of connections neither; the way that new connections take is another.
  network.swallow(true)
  port = rig.server.port
  await new Promise((resolve) => setTimeout(resolve, noticedMs))
  expect(failures).toEqual([])
  expect(await heldNames(rig.server, [purpose])).toEqual([purpose])
  network.cutAll()
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(await heldNames(rig.server, [purpose])).toEqual([purpose])
}, 60_000)
