// The door of `tenure-sdk/guard`: the guard under the databases of a service. Apart from `tenure-sdk`, so that who only
// verifies tokens loads no SQL parser. docs/sdk.md is its reference.

import { guardDataSource } from './guard-data-source.ts'
import {
  type CountedViolation,
  type GuardMode,
  GuardViolation,
  type GuardViolationReason,
  guardViolationIn,
  type Violation,
} from './guard-violation.ts'
import { type GuardedMysqlPool, guardedMysqlPool, type MysqlPoolLike } from './guarded-mysql-pool.ts'
import type { GuardedMysqlConnection } from './mysql-connection.ts'
import type { TenantDatabase } from './tenant-database.ts'
import { createTenantGuard, type TenantGuard, type TenantGuardOptions, type ViolationSink } from './tenant-guard.ts'
import { type TenantRepository, tenantRepository } from './tenant-repository.ts'
import type { FindRows, TenantRows, Values, Where } from './tenant-rows.ts'
import { outsideTenant, type WithTenantOptions, withTenant } from './tenant-session.ts'
import type { TenantTable, TenantTables } from './tenant-tables.ts'
import { createViolationReporter, type ViolationReporter, type ViolationReporterOptions } from './violation-reporter.ts'

export {
  type CountedViolation,
  createTenantGuard,
  createViolationReporter,
  type FindRows,
  type GuardedMysqlConnection,
  type GuardedMysqlPool,
  type GuardMode,
  GuardViolation,
  type GuardViolationReason,
  guardDataSource,
  guardedMysqlPool,
  guardViolationIn,
  type MysqlPoolLike,
  outsideTenant,
  type TenantDatabase,
  type TenantGuard,
  type TenantGuardOptions,
  type TenantRepository,
  type TenantRows,
  type TenantTable,
  type TenantTables,
  tenantRepository,
  type Values,
  type Violation,
  type ViolationReporter,
  type ViolationReporterOptions,
  type ViolationSink,
  type Where,
  type WithTenantOptions,
  withTenant,
}
