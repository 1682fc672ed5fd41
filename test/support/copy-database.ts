import { copyFileSync } from 'node:fs'
import { openSideDoor } from './side-door.ts'
import { createDatabase } from './test-database.ts'

/** Copies every row that is committed, while whoever uses the database goes on. */
export async function copyDatabase(from: string, to: string): Promise<void> {
  await using source = await openSideDoor(from)
  if (from.startsWith('sqlite:')) {
    await source.all('PRAGMA wal_checkpoint(TRUNCATE)')
    copyFileSync(fileIn(from), fileIn(to))
    return
  }
  await createDatabase(to)
  for (const table of (await source.tables()).keys()) {
    const copy = `${new URL(to).pathname.slice(1)}.${table}`
    await source.run(`CREATE TABLE ${copy} LIKE ${table}`)
    await source.run(`INSERT INTO ${copy} SELECT * FROM ${table}`)
  }
}

function fileIn(url: string): string {
  return url.slice('sqlite:'.length)
}
