import type { Migration } from './migration.ts'

/** What a cell says of itself: which one it is, and which replicas read it. */
export const cellFeed: Migration = {
  number: 3,
  name: 'feed',
  role: 'cell',
  sqlite: [
    `CREATE TABLE IF NOT EXISTS cell_identity (
      cell_id varchar(63) NOT NULL PRIMARY KEY,
      incarnation_id varchar(36) NOT NULL,
      create_time datetime NOT NULL
    )`,
    `CREATE TABLE IF NOT EXISTS feed_heartbeats (
      replica varchar(40) NOT NULL PRIMARY KEY,
      instance_id varchar(36) NOT NULL,
      beat bigint NOT NULL,
      beat_time datetime NOT NULL
    )`,
  ],
  mysql: [
    `CREATE TABLE IF NOT EXISTS cell_identity (
      cell_id varchar(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      incarnation_id varchar(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      create_time datetime(3) NOT NULL,
      PRIMARY KEY (cell_id)
    ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin`,
    `CREATE TABLE IF NOT EXISTS feed_heartbeats (
      replica varchar(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      instance_id varchar(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
      beat bigint NOT NULL,
      beat_time datetime(3) NOT NULL,
      PRIMARY KEY (replica)
    ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin`,
  ],
}
