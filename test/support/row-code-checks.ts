import { checkCodes } from '../../src/tenancy/coded-rows.ts'
import type { ForgedRow } from '../../src/tenancy/row-codes.ts'
import type { TestServer } from './test-server.ts'

/** Every row that grants power, and those among them whose code is not right. */
export async function codesOf({ server }: Pick<TestServer, 'server'>): Promise<{ count: number; forged: ForgedRow[] }> {
  const forged: ForgedRow[] = []
  const count = await checkCodes(
    server.platform.codedRows,
    (row) => forged.push(row),
    async () => undefined,
  )
  return { count, forged }
}
