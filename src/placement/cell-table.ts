import { EntitySchema } from 'typeorm'
import { asciiColumn, timeColumn } from '../base/columns.ts'
import type { CellRow } from './cell.ts'

export const CellTable = new EntitySchema<CellRow>({
  name: 'cells',
  columns: {
    cellId: asciiColumn('cellId', 63, { primary: true }),
    region: asciiColumn('region', 63),
    incarnationId: asciiColumn('incarnationId', 36),
    createTime: timeColumn('createTime'),
  },
})
