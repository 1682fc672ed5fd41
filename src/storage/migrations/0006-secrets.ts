import type { Migration } from './migration.ts'

/** Secrets of workspaces, and their versions. The value stands last: SQLite reads through a long one to get at what stands behind it. */
export const secrets: Migration = {
  number: 6,
  name: 'secrets',
  role: 'cell',
  sqlite: [
    `CREATE TABLE IF NOT EXISTS secrets (
      tenant_id varchar(36) NOT NULL,
      workspace_id varchar(36) NOT NULL,
      secret_id varchar(36) NOT NULL,
      slug varchar(63) NOT NULL,
      labels text NOT NULL,
      latest_version bigint NOT NULL,
      version_count bigint NOT NULL,
      version bigint NOT NULL,
      create_time datetime NOT NULL,
      update_time datetime NOT NULL,
      PRIMARY KEY (tenant_id, workspace_id, secret_id)
    )`,
    'CREATE UNIQUE INDEX IF NOT EXISTS secrets_slug ON secrets (tenant_id, workspace_id, slug)',
    'CREATE INDEX IF NOT EXISTS secrets_created ON secrets (tenant_id, workspace_id, create_time, slug)',
    `CREATE TABLE IF NOT EXISTS secret_versions (
      tenant_id varchar(36) NOT NULL,
      workspace_id varchar(36) NOT NULL,
      secret_version_id varchar(36) NOT NULL,
      secret_id varchar(36) NOT NULL,
      number bigint NOT NULL,
      state varchar(20) NOT NULL,
      payload_bytes bigint NOT NULL,
      version bigint NOT NULL,
      create_time datetime NOT NULL,
      update_time datetime NOT NULL,
      destroy_time datetime NULL,
      envelope blob NULL,
      PRIMARY KEY (tenant_id, workspace_id, secret_version_id)
    )`,
    `CREATE UNIQUE INDEX IF NOT EXISTS secret_versions_number
      ON secret_versions (tenant_id, workspace_id, secret_id, number)`,
  ],
  mysql: [
    `CREATE TABLE IF NOT EXISTS secrets (
      tenant_id varchar(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      workspace_id varchar(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      secret_id varchar(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      slug varchar(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      labels mediumtext CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin NOT NULL,
      latest_version bigint NOT NULL,
      version_count bigint NOT NULL,
      version bigint NOT NULL,
      create_time datetime(3) NOT NULL,
      update_time datetime(3) NOT NULL,
      PRIMARY KEY (tenant_id, workspace_id, secret_id),
      UNIQUE KEY secrets_slug (tenant_id, workspace_id, slug),
      KEY secrets_created (tenant_id, workspace_id, create_time, slug)
    ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin`,
    `CREATE TABLE IF NOT EXISTS secret_versions (
      tenant_id varchar(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      workspace_id varchar(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      secret_version_id varchar(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      secret_id varchar(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      number bigint NOT NULL,
      state varchar(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      payload_bytes bigint NOT NULL,
      version bigint NOT NULL,
      create_time datetime(3) NOT NULL,
      update_time datetime(3) NOT NULL,
      destroy_time datetime(3) NULL,
      envelope mediumblob NULL,
      PRIMARY KEY (tenant_id, workspace_id, secret_version_id),
      UNIQUE KEY secret_versions_number (tenant_id, workspace_id, secret_id, number)
    ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin`,
  ],
}
