/** A database cluster, in one region, that holds the rows of many tenants. */
export interface CellRow {
  readonly cellId: string
  readonly region: string
  /** Made anew when a copy of the cell is restored, so that the copy cannot pass for the original. */
  readonly incarnationId: string
  readonly createTime: Date
}

/** A cell as the configuration names it. */
export interface CellConfig {
  readonly id: string
  readonly region: string
}
