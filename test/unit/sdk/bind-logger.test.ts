import { Writable } from 'node:stream'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { bindLogger } from '../../../src/sdk/bind-logger.ts'
import { contextOfTenant, levelOfTenant, tenantUid, workspaceUid } from './guard/contexts.ts'

const fields = { tenant: 'tenant-1', tenant_uid: tenantUid(1), workspace: 'prod', workspace_uid: workspaceUid(1) }

test('every line of a bound pino, and of its children, says which tenant and workspace it is about', () => {
  const lines: Record<string, unknown>[] = []
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)))
      done()
    },
  })
  const logger = pino(stream)
  const bound = bindLogger(logger, contextOfTenant(1))
  bound.info({ order: 'o1' }, 'made')
  bound.child({ part: 'mail' }).warn('late')
  bindLogger(logger, levelOfTenant(1)).info('of the tenant')
  logger.info('of nobody')
  expect(lines[0]).toMatchObject({ ...fields, order: 'o1', msg: 'made' })
  expect(lines[1]).toMatchObject({ ...fields, part: 'mail' })
  expect(lines[2]).toMatchObject({ tenant: 'tenant-1', tenant_uid: tenantUid(1) })
  expect(lines[2]).not.toHaveProperty('workspace')
  expect(lines[3]).not.toHaveProperty('tenant')
})

test('a logger in the manner of the console has the place first in every line', () => {
  const lines: unknown[][] = []
  const write = (...line: readonly unknown[]) => lines.push([...line])
  const bound = bindLogger({ debug: write, info: write, warn: write, error: write }, contextOfTenant(1))
  bound.info('made', { id: 'o1' })
  bound.error('failed')
  const tag = `[tenant=tenant-1 tenant_uid=${tenantUid(1)} workspace=prod workspace_uid=${workspaceUid(1)}]`
  expect(lines).toEqual([
    [tag, 'made', { id: 'o1' }],
    [tag, 'failed'],
  ])
})
