import { directoryTablesMysql } from './0001-directory-mysql.ts'
import type { Migration } from './migration.ts'

/** The directory: which cell holds which tenant, and everything that belongs to the platform itself. */
export const directoryTables: Migration = {
  number: 1,
  name: 'directory',
  role: 'directory',
  sqlite: [
    `CREATE TABLE IF NOT EXISTS directory_heads (
      tenant_id varchar(36) NOT NULL PRIMARY KEY,
      timeline_id varchar(36) NOT NULL,
      placement_epoch bigint NOT NULL,
      revision bigint NOT NULL,
      sequence bigint NOT NULL,
      chain_hash blob NOT NULL
    )`,
    `CREATE TABLE IF NOT EXISTS directory_journal (
      feed_id integer PRIMARY KEY AUTOINCREMENT NOT NULL,
      tenant_id varchar(36) NOT NULL,
      chain varchar(100) NOT NULL,
      sequence bigint NOT NULL,
      event_id varchar(36) NOT NULL,
      workspace_id varchar(36) NOT NULL,
      event_time datetime NOT NULL,
      principal varchar(255) NOT NULL,
      event varchar(127) NOT NULL,
      target varchar(300) NOT NULL,
      record blob NOT NULL,
      hash blob NOT NULL,
      revision bigint NOT NULL,
      changes text,
      attempt_id varchar(36),
      idempotency_key blob,
      request_hash blob,
      answer blob
    )`,
    'CREATE UNIQUE INDEX IF NOT EXISTS directory_journal_chain ON directory_journal (tenant_id, chain, sequence)',
    'CREATE UNIQUE INDEX IF NOT EXISTS directory_journal_idempotency ON directory_journal (tenant_id, idempotency_key)',
    'CREATE INDEX IF NOT EXISTS directory_journal_time ON directory_journal (tenant_id, event_time, event_id)',
    `CREATE TABLE IF NOT EXISTS directory_chains (
      tenant_id varchar(36) NOT NULL,
      chain varchar(100) NOT NULL,
      sequence bigint NOT NULL,
      chain_hash blob NOT NULL,
      PRIMARY KEY (tenant_id, chain)
    )`,
    `CREATE TABLE IF NOT EXISTS cells (
      cell_id varchar(63) NOT NULL PRIMARY KEY,
      region varchar(63) NOT NULL,
      incarnation_id varchar(36) NOT NULL,
      create_time datetime NOT NULL
    )`,
    `CREATE TABLE IF NOT EXISTS tenant_placements (
      tenant_id varchar(36) NOT NULL PRIMARY KEY,
      slug varchar(63) NOT NULL,
      cell_id varchar(63) NOT NULL,
      region varchar(63) NOT NULL,
      isolation varchar(20) NOT NULL,
      placement_epoch bigint NOT NULL,
      state varchar(20) NOT NULL,
      suspension_mode varchar(20) NOT NULL,
      suspension_reason varchar(500) NOT NULL,
      suspension_time datetime,
      display_name varchar(200) NOT NULL,
      plan varchar(63) NOT NULL,
      tier varchar(63) NOT NULL,
      labels text NOT NULL,
      version bigint NOT NULL,
      create_time datetime NOT NULL,
      update_time datetime NOT NULL,
      delete_time datetime,
      purge_time datetime,
      provisioning text
    )`,
    'CREATE UNIQUE INDEX IF NOT EXISTS tenant_placements_slug ON tenant_placements (slug)',
    'CREATE INDEX IF NOT EXISTS tenant_placements_state ON tenant_placements (state, slug)',
    'CREATE INDEX IF NOT EXISTS tenant_placements_created ON tenant_placements (create_time, slug)',
    `CREATE TABLE IF NOT EXISTS permissions (
      permission_id varchar(127) NOT NULL PRIMARY KEY,
      uid varchar(36) NOT NULL,
      description varchar(500) NOT NULL,
      effect varchar(10) NOT NULL,
      service varchar(63) NOT NULL,
      version bigint NOT NULL,
      create_time datetime NOT NULL,
      update_time datetime NOT NULL
    )`,
    `CREATE TABLE IF NOT EXISTS platform_service_accounts (
      service_account_id varchar(36) NOT NULL PRIMARY KEY,
      slug varchar(63) NOT NULL,
      display_name varchar(200) NOT NULL,
      state varchar(20) NOT NULL,
      roles text NOT NULL,
      version bigint NOT NULL,
      create_time datetime NOT NULL,
      update_time datetime NOT NULL
    )`,
    'CREATE UNIQUE INDEX IF NOT EXISTS platform_service_accounts_slug ON platform_service_accounts (slug)',
    `CREATE TABLE IF NOT EXISTS platform_api_keys (
      api_key_id varchar(36) NOT NULL PRIMARY KEY,
      display_name varchar(200) NOT NULL,
      owner_id varchar(36) NOT NULL,
      secret_hash blob NOT NULL,
      prefix varchar(63) NOT NULL,
      permissions text NOT NULL,
      state varchar(20) NOT NULL,
      expire_time datetime,
      version bigint NOT NULL,
      create_time datetime NOT NULL,
      update_time datetime NOT NULL
    )`,
    `CREATE TABLE IF NOT EXISTS directory_retired_names (
      collection varchar(40) NOT NULL,
      slug varchar(127) NOT NULL,
      retire_time datetime NOT NULL,
      PRIMARY KEY (collection, slug)
    )`,
    `CREATE TABLE IF NOT EXISTS sealed_keys (
      key_name varchar(63) NOT NULL PRIMARY KEY,
      envelope blob NOT NULL,
      create_time datetime NOT NULL
    )`,
  ],
  mysql: directoryTablesMysql,
}
