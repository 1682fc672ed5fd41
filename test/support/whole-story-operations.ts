import { after, lists, type StoryStep, since, step } from './story-step.ts'

const acme = 'tenants/acme'
const gone = `${acme}/workspaces/purged`

/** What takes its time: purges, looks at isolation, and the operations that they are. */
export const operationsStory: readonly StoryStep[] = [
  step('WorkspaceService/CreateWorkspace', { parent: acme, workspaceId: 'purged' }),
  step('MembershipService/CreateMembership', {
    parent: gone,
    membership: { user: `${acme}/users/alice`, roles: ['roles/viewer'] },
  }),
  step('SecretService/CreateSecret', { parent: gone, secretId: 'last' }),
  step('SecretService/AddSecretVersion', { parent: `${gone}/secrets/last`, payload: 'dmFsdWU=' }),
  step('WorkspaceService/DeleteWorkspace', { name: gone }),
  step('WorkspaceService/PurgeWorkspace', { name: gone }),
  after('WorkspaceService/PurgeWorkspace', 'google.longrunning.Operations/WaitOperation', { name: '{name}' }),
  after('WorkspaceService/PurgeWorkspace', 'google.longrunning.Operations/GetOperation', { name: '{name}' }),
  step('google.longrunning.Operations/ListOperations', {
    name: acme,
    filter: `kind = "workspaces.purge" AND state = SUCCEEDED AND target != "x" AND ${since}`,
  }),
  after('WorkspaceService/PurgeWorkspace', 'google.longrunning.Operations/CancelOperation', { name: '{name}' }),
  after('WorkspaceService/PurgeWorkspace', 'google.longrunning.Operations/DeleteOperation', { name: '{name}' }),
  step('TenantService/DeleteTenant', { name: 'tenants/globex', force: true }),
  step('TenantService/PurgeTenant', { name: 'tenants/globex' }),
  after('TenantService/PurgeTenant', 'google.longrunning.Operations/WaitOperation', { name: '{name}' }),
  step('DiagnosticsService/DiagnoseIsolation'),
  after('DiagnosticsService/DiagnoseIsolation', 'google.longrunning.Operations/WaitOperation', { name: '{name}' }),
  after('DiagnosticsService/DiagnoseIsolation', 'google.longrunning.Operations/CancelOperation', { name: '{name}' }),
  step('google.longrunning.Operations/ListOperations', {}),
  after('DiagnosticsService/DiagnoseIsolation', 'google.longrunning.Operations/DeleteOperation', { name: '{name}' }),
  step('DiagnosticsService/DiagnoseIsolation'),
  after('DiagnosticsService/DiagnoseIsolation', 'google.longrunning.Operations/WaitOperation', { name: '{name}' }),
  ...lists('DiagnosticsService/ListIsolationReports', {}, `outcome = PASSED AND ${since}`, 'create_time'),
  after('DiagnosticsService/ListIsolationReports', 'DiagnosticsService/GetIsolationReport', { name: '{name}' }),
  ...['SELECT 1', 'SELECT 2'].map((statement) =>
    step('DiagnosticsService/ReportGuardViolations', {
      source: 'orders',
      guardViolations: [{ reason: 'unpinned-tenant', statement, mode: 'MODE_REPORT', count: '1' }],
    }),
  ),
  step('DiagnosticsService/ReportGuardViolations', {
    source: 'orders',
    guardViolations: [{ reason: 'unpinned-tenant', statement: 'SELECT 1', mode: 'MODE_REPORT', count: '1' }],
  }),
  ...lists(
    'DiagnosticsService/ListGuardViolations',
    {},
    'source = "orders" AND tenant_uid != "x" AND reason = "unpinned-*" AND mode = REPORT AND last_time > "2026-01-01T00:00:00Z"',
    'last_time',
  ),
]
