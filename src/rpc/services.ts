import type { DescService } from '@bufbuild/protobuf'
import { Operations } from '../gen/google/longrunning/operations_pb.ts'
import { AccessService } from '../gen/tenure/v1/access_service_pb.ts'
import { ApiKeyService } from '../gen/tenure/v1/api_key_service_pb.ts'
import { AuditService } from '../gen/tenure/v1/audit_service_pb.ts'
import { DiagnosticsService } from '../gen/tenure/v1/diagnostics_service_pb.ts'
import { MembershipService } from '../gen/tenure/v1/membership_service_pb.ts'
import { RoleService } from '../gen/tenure/v1/role_service_pb.ts'
import { SecretService } from '../gen/tenure/v1/secret_service_pb.ts'
import { ServiceAccountService } from '../gen/tenure/v1/service_account_service_pb.ts'
import { SigningKeyService } from '../gen/tenure/v1/signing_key_service_pb.ts'
import { TenantService } from '../gen/tenure/v1/tenant_service_pb.ts'
import { TokenService } from '../gen/tenure/v1/token_service_pb.ts'
import { UserService } from '../gen/tenure/v1/user_service_pb.ts'
import { WorkspaceService } from '../gen/tenure/v1/workspace_service_pb.ts'

/** Every service of the public API; a service that is not here is not served, on any transport. */
export const tenureServices: readonly DescService[] = [
  Operations,
  AccessService,
  ApiKeyService,
  AuditService,
  DiagnosticsService,
  MembershipService,
  RoleService,
  SecretService,
  ServiceAccountService,
  SigningKeyService,
  TenantService,
  TokenService,
  UserService,
  WorkspaceService,
]
