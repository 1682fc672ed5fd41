import type { MigrationInterface, QueryRunner } from 'typeorm'

/**
 * The key begins with tenant and workspace: rows of one workspace lie together, and a query that forgot to name them
 * would have no index to go by. Ids are ASCII and compared byte by byte, whatever the server's default is.
 */
export class CreateOrders implements MigrationInterface {
  /** TypeORM orders migrations by the number their names end in. */
  readonly name = 'CreateOrders1790000000000'

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE TABLE IF NOT EXISTS orders (
      tenant_id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      workspace_id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      order_id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      item VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin NOT NULL,
      quantity INT NOT NULL,
      created_by VARCHAR(256) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      create_time DATETIME(3) NOT NULL,
      PRIMARY KEY (tenant_id, workspace_id, order_id)
    )`)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE orders')
  }
}
