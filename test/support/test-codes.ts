import { codeFamilies } from '../../src/base/coded-columns.ts'
import { createRowCodes, type RowCodes } from '../../src/tenancy/row-codes.ts'
import { codesOfUnit, type UnitCodes } from '../../src/tenancy/unit-codes.ts'

/** Under a key that everybody knows, for rows that are written without a server. */
export function testRowCodes(): RowCodes {
  const codes = createRowCodes(({ table }) => {
    throw new Error(`a row of ${table} is forged`)
  })
  for (const family of codeFamilies) codes.open(family, Buffer.alloc(32, 1))
  return codes
}

export function testCodes(): UnitCodes {
  return codesOfUnit(testRowCodes())
}
