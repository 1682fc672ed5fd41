import type { Migration } from './migration.ts'

/** Which replicas read the directory. */
export const directoryFeed: Migration = {
  number: 4,
  name: 'directory_feed',
  role: 'directory',
  sqlite: [
    `CREATE TABLE IF NOT EXISTS directory_heartbeats (
      replica varchar(40) NOT NULL PRIMARY KEY,
      instance_id varchar(36) NOT NULL,
      beat bigint NOT NULL,
      beat_time datetime NOT NULL
    )`,
  ],
  mysql: [
    `CREATE TABLE IF NOT EXISTS directory_heartbeats (
      replica varchar(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      instance_id varchar(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      beat bigint NOT NULL,
      beat_time datetime(3) NOT NULL,
      PRIMARY KEY (replica)
    ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin`,
  ],
}
