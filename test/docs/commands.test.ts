import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { childEnvironment, runTenure } from '../support/child-server.ts'

test('the README tells of every command that there is, and of no other', async () => {
  const { stdout } = await runTenure(['--help'], childEnvironment('/nowhere'))
  const [, list = ''] = stdout.split('Commands:\n')
  const commands = [...list.matchAll(/^ {2}([a-z-]+)/gm)].map(([, name = '']) => name).filter((name) => name !== 'help')
  expect(commands.length).toBeGreaterThan(8)
  const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')
  const [, table = ''] = readme.split('## The `tenure` command\n')
  const told = [...table.matchAll(/^\| `bin\/tenure ([a-z-]+)/gm)].map(([, name = '']) => name)
  expect(told.sort()).toEqual(commands.sort())
})
