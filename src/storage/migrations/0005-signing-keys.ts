import type { Migration } from './migration.ts'

/** The keys that tenant tokens are signed with. */
export const signingKeys: Migration = {
  number: 5,
  name: 'signing_keys',
  role: 'directory',
  sqlite: [
    `CREATE TABLE IF NOT EXISTS signing_keys (
      signing_key_id varchar(36) NOT NULL PRIMARY KEY,
      kid varchar(43) NOT NULL,
      algorithm varchar(20) NOT NULL,
      public_key text NOT NULL,
      envelope blob NOT NULL,
      state varchar(20) NOT NULL,
      create_time datetime NOT NULL,
      activate_time datetime NULL
    )`,
    'CREATE UNIQUE INDEX IF NOT EXISTS signing_keys_kid ON signing_keys (kid)',
  ],
  mysql: [
    `CREATE TABLE IF NOT EXISTS signing_keys (
      signing_key_id varchar(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      kid varchar(43) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      algorithm varchar(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      public_key mediumtext CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin NOT NULL,
      envelope mediumblob NOT NULL,
      state varchar(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      create_time datetime(3) NOT NULL,
      activate_time datetime(3) NULL,
      PRIMARY KEY (signing_key_id),
      UNIQUE KEY signing_keys_kid (kid)
    ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin`,
  ],
}
