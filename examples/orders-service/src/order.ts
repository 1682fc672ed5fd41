import { EntitySchema } from 'typeorm'

/** An order lies in one workspace of one tenant; both are part of its key, so no id leads anywhere else. */
export interface Order {
  readonly tenantId: string
  readonly workspaceId: string
  readonly orderId: string
  readonly item: string
  readonly quantity: number
  /** Who made it, by resource name: `tenants/acme/users/alice`. */
  readonly createdBy: string
  readonly createTime: Date
}

export const OrderTable = new EntitySchema<Order>({
  name: 'orders',
  columns: {
    tenantId: { name: 'tenant_id', type: 'char', length: 36, primary: true },
    workspaceId: { name: 'workspace_id', type: 'char', length: 36, primary: true },
    orderId: { name: 'order_id', type: 'char', length: 36, primary: true },
    item: { name: 'item', type: 'varchar', length: 200 },
    quantity: { name: 'quantity', type: 'int' },
    createdBy: { name: 'created_by', type: 'varchar', length: 256 },
    createTime: { name: 'create_time', type: 'datetime', precision: 3 },
  },
})
