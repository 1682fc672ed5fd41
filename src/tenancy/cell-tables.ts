import { EntitySchema } from 'typeorm'
import { asciiColumn, integerColumn, timeColumn } from '../base/columns.ts'

/** Which cell a database is, in the database itself: one row. A restored copy is told from the cell by its incarnation. */
export interface CellIdentityRow {
  readonly cellId: string
  readonly incarnationId: string
  readonly createTime: Date
}

/** The sign of life of one replica, written to what it reads: an old primary that takes no writes never looks fresh. */
export interface HeartbeatRow {
  readonly replica: string
  /** Of the process: two that were given one name are told apart. */
  readonly instanceId: string
  readonly beat: number
  readonly beatTime: Date
}

function heartbeatColumns() {
  return {
    replica: asciiColumn('replica', 40, { primary: true }),
    instanceId: asciiColumn('instanceId', 36),
    beat: integerColumn('beat'),
    beatTime: timeColumn('beatTime'),
  }
}

export const CellIdentityTable = new EntitySchema<CellIdentityRow>({
  name: 'cell_identity',
  columns: {
    cellId: asciiColumn('cellId', 63, { primary: true }),
    incarnationId: asciiColumn('incarnationId', 36),
    createTime: timeColumn('createTime'),
  },
})

export const FeedHeartbeatTable = new EntitySchema<HeartbeatRow>({
  name: 'feed_heartbeats',
  columns: heartbeatColumns(),
})

export const DirectoryHeartbeatTable = new EntitySchema<HeartbeatRow>({
  name: 'directory_heartbeats',
  columns: heartbeatColumns(),
})
