import { create } from '@bufbuild/protobuf'
import { EmptySchema } from '@bufbuild/protobuf/wkt'
import { type CodeFamily, codeFamilies } from './base/coded-columns.ts'
import { createForgedRows, type ForgedRows } from './forged-rows.ts'
import type { Keyring } from './keyring/keyring.ts'
import { codeKeys, openPlatformKey } from './platform-keys.ts'
import type { Runtime } from './server.ts'
import type { Storage } from './storage-parts.ts'
import { cellTables, directoryTables } from './tables.ts'
import { type CodedRowsParts, giveCodes, hasCodedRows } from './tenancy/coded-rows.ts'
import type { Directory } from './tenancy/directory.ts'
import type { PlatformCapabilities } from './tenancy/platform-capability.ts'
import { createRowCodes, type RowCodes } from './tenancy/row-codes.ts'

export interface OpenCodesOptions {
  /** Asked where there were codes before. */
  readonly recode: () => Promise<boolean>
  /** Throws where another server may be giving codes by now. */
  readonly assertAlone: () => Promise<void>
}

/** The codes on rows that grant power, of every tenant and of the platform. */
export interface PlatformCodes {
  readonly codes: RowCodes
  readonly codedRows: CodedRowsParts
  readonly onForgedRow: ForgedRows['onForgedRow']
  /**
   * Before the first such row is read: their key is sealed in the directory, and only the keyring opens it. Answers how
   * many rows were given codes, undefined where none had to.
   */
  openWith(directory: Directory, keyring: Keyring, options: OpenCodesOptions): Promise<number | undefined>
}

export function createPlatformCodes(
  storage: Storage,
  capabilities: PlatformCapabilities,
  runtime: Runtime,
): PlatformCodes {
  const { forged, onForgedRow } = createForgedRows(runtime)
  const codes = createRowCodes(forged)
  const homes = [
    { database: storage.directory, tables: directoryTables },
    { database: storage.cell, tables: cellTables },
  ]
  const codedRows = { homes, capability: capabilities['row-codes'], codes }
  return {
    ...{ codes, codedRows, onForgedRow },
    async openWith(directory, keyring, { recode, assertAlone }) {
      const parts = { directory, capability: capabilities['sealed-keys'], keyring, ...runtime }
      let given: number | undefined
      for (const family of codeFamilies) {
        let again = false
        const beforeKept = async (made: Uint8Array) => {
          const count = await begin({ key: made, family, again, assertAlone }, codedRows, directory, runtime)
          given = (given ?? 0) + count
        }
        const ifLost = async () => {
          again = await recode()
          if (again) return 'asked for'
          return (await hasCodedRows(codedRows, family)) ? 'refuse' : 'unused'
        }
        codes.open(family, await openPlatformKey(parts, codeKeys[family], { beforeKept, ifLost, assertAlone }))
      }
      return given
    },
  }
}

interface Beginning {
  readonly key: Uint8Array
  readonly family: CodeFamily
  /** Somebody has asked for it, because the key was gone. */
  readonly again: boolean
  readonly assertAlone: () => Promise<void>
}

/**
 * Where there is no key yet, the rows that are there get their codes before it is kept: a start that was interrupted in
 * between finds no key, and begins anew. From then on a row without a code grants nothing, and where the key is taken
 * away nothing starts until somebody asks for codes `again`. The platform's audit says which of the two it was.
 */
async function begin(
  { key, family, again, assertAlone }: Beginning,
  rows: CodedRowsParts,
  directory: Directory,
  { log, ids }: Runtime,
): Promise<number> {
  rows.codes.open(family, key)
  const count = await giveCodes(rows, family, assertAlone)
  if (count === 0) return count
  if (!again)
    log.warn(
      { count, family },
      'rows that power rests on were given codes; this happens once in the life of a database',
    )
  const actor = { principal: 'tenure', credential: '', requestId: ids.next(), clientIp: '' }
  const mutation = {
    ...{ event: again ? 'rowCodes.renew' : 'rowCodes.begin', target: '', idempotency: undefined },
    ...{ response: EmptySchema, validateOnly: false },
  }
  await directory.write(rows.capability, actor, mutation, async (unit) => {
    unit.note('rows', count)
    unit.note('family', family)
    return create(EmptySchema)
  })
  return count
}
