import { expect, test } from 'vitest'
import { secondServer, settingsIn } from '../../scripts/second-server.ts'
import { loadConfig } from '../../src/config/load-config.ts'

test('the second server that make run-mysql tells of has addresses, a name and a checkpoint file of its own, and the keyring of the first', () => {
  const told = secondServer('.tenure-mysql', 'mysql://tenure:of-the-tests@127.0.0.1:3306/tenure')
  const settings = [...told.matchAll(/^ {2}([A-Z_]+)="?(.*?)"? \\$/gm)].map(([, name = '', value]) => [name, value])
  const readFile = () => Buffer.alloc(0)
  const databaseUrl = 'mysql://tenure:of-the-tests@127.0.0.1:3306/tenure'
  const first = loadConfig({ env: { ...settingsIn('.tenure-mysql'), TENURE_DATABASE_URL: databaseUrl }, readFile })
  const second = loadConfig({ env: Object.fromEntries(settings), readFile })
  for (const own of ['grpcAddress', 'httpAddress', 'replica', 'auditCheckpoints'] as const) {
    expect(second[own]).not.toEqual(first[own])
  }
  for (const shared of ['database', 'keyring', 'environment'] as const) expect(second[shared]).toEqual(first[shared])
})
