import type { Migration } from './migration.ts'

/** Where audit chains were, signed, until it is outside the database and beyond. */
export const auditCheckpoints: Migration = {
  number: 9,
  name: 'audit-checkpoints',
  role: 'directory',
  sqlite: [
    `CREATE TABLE IF NOT EXISTS audit_checkpoints (
      number bigint NOT NULL,
      maker varchar(40) NOT NULL,
      document blob NOT NULL,
      create_time datetime NOT NULL,
      shipped_time datetime NULL,
      PRIMARY KEY (number)
    )`,
    'CREATE INDEX IF NOT EXISTS audit_checkpoints_shipped ON audit_checkpoints (shipped_time, number)',
    `CREATE TABLE IF NOT EXISTS audit_checkpoint_ends (
      tenant_id varchar(36) NOT NULL,
      chain varchar(100) NOT NULL,
      sequence bigint NOT NULL,
      chain_hash blob NOT NULL,
      timeline_id varchar(36) NOT NULL,
      number bigint NOT NULL,
      create_time datetime NOT NULL,
      PRIMARY KEY (tenant_id, chain)
    )`,
    'CREATE INDEX IF NOT EXISTS audit_checkpoint_ends_number ON audit_checkpoint_ends (number)',
    'CREATE INDEX IF NOT EXISTS audit_checkpoint_ends_created ON audit_checkpoint_ends (create_time)',
  ],
  mysql: [
    `CREATE TABLE IF NOT EXISTS audit_checkpoints (
      number bigint NOT NULL,
      maker varchar(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      document mediumblob NOT NULL,
      create_time datetime(3) NOT NULL,
      shipped_time datetime(3) NULL,
      PRIMARY KEY (number),
      KEY audit_checkpoints_shipped (shipped_time, number)
    ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin`,
    `CREATE TABLE IF NOT EXISTS audit_checkpoint_ends (
      tenant_id varchar(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      chain varchar(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      sequence bigint NOT NULL,
      chain_hash binary(32) NOT NULL,
      timeline_id varchar(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      number bigint NOT NULL,
      create_time datetime(3) NOT NULL,
      PRIMARY KEY (tenant_id, chain),
      KEY audit_checkpoint_ends_number (number),
      KEY audit_checkpoint_ends_created (create_time)
    ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin`,
  ],
}
