import { describe, expect, test } from 'vitest'
import { PermissionCatalogue } from '../../../../src/access/engine/catalogue.ts'
import { templateBits, templateNames, templatePermissions } from '../../../../src/access/engine/role-templates.ts'
import { testPermissions } from './fact-builders.ts'

const read = { name: 'orders.read', effect: 'READ', service: 'shop', platformOnly: false } as const
const write = { name: 'orders.write', effect: 'WRITE', service: 'shop', platformOnly: false } as const

describe('PermissionCatalogue', () => {
  test('an index stands for one entry for ever: neither another name nor the same name added again gets it', () => {
    const catalogue = new PermissionCatalogue([read])
    const first = catalogue.indexOf('orders.read')
    catalogue.remove('orders.read')
    catalogue.add(write)
    catalogue.add(read)
    expect(catalogue.indexOf('orders.write')).not.toBe(first)
    expect(catalogue.indexOf('orders.read')).not.toBe(first)
    expect(catalogue.nameAt(first ?? -1)).toBe('orders.read')
  })

  test('what stays through a replacement keeps its index', () => {
    const catalogue = new PermissionCatalogue([read, write])
    const index = catalogue.indexOf('orders.write')
    catalogue.replaceAll([write])
    expect(catalogue.has('orders.read')).toBe(false)
    expect(catalogue.indexOf('orders.write')).toBe(index)
  })

  test('the version grows with every change and only with a change', () => {
    const catalogue = new PermissionCatalogue([read])
    const versions = [catalogue.version]
    const changeBy = (change: () => void) => {
      change()
      versions.push(catalogue.version)
    }
    changeBy(() => catalogue.add(read))
    changeBy(() => catalogue.add(write))
    changeBy(() => catalogue.replaceAll([read, write]))
    changeBy(() => catalogue.add({ ...write, effect: 'READ' }))
    changeBy(() => catalogue.remove('ghosts.read'))
    changeBy(() => catalogue.remove('orders.read'))
    changeBy(() => catalogue.replaceAll([]))
    expect(versions.map((version) => version - (versions[0] ?? 0))).toEqual([0, 0, 1, 1, 2, 2, 3, 4])
  })

  test('unknown names make no bits', () => {
    expect(new PermissionCatalogue([read]).bitsOf(['ghosts.read']).isEmpty).toBe(true)
  })
})

describe('role templates', () => {
  const catalogue = new PermissionCatalogue(testPermissions)

  test.each([
    [
      'roles/owner',
      'access.check apiKeys.get orders.read orders.write stock.read tenants.delete workspaces.create workspaces.get',
    ],
    ['roles/admin', 'access.check apiKeys.get orders.read orders.write stock.read workspaces.create workspaces.get'],
    ['roles/member', 'orders.read orders.write stock.read workspaces.get'],
    ['roles/viewer', 'orders.read stock.read workspaces.get'],
  ])('%s holds what it promises', (name, permissions) => {
    expect(templatePermissions(catalogue, name).join(' ')).toBe(permissions)
    expect(templateBits(catalogue, name)?.indexes()).toHaveLength(permissions.split(' ').length)
  })

  test('roles/platform.admin holds everything, and no other template anything of the platform', () => {
    expect(templatePermissions(catalogue, 'roles/platform.admin')).toHaveLength(testPermissions.length)
    for (const name of templateNames.filter((template) => template !== 'roles/platform.admin')) {
      expect(templatePermissions(catalogue, name)).not.toContain('tenants.create')
    }
  })

  test('a name that is no template has no bits, not an empty set of them', () => {
    expect(templateBits(catalogue, 'roles/ghost')).toBeUndefined()
    expect(templatePermissions(catalogue, 'constructor')).toEqual([])
  })
})
