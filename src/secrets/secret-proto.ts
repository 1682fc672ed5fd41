import { create } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { etagOf } from '../base/etag.ts'
import { nameIn, type Place } from '../base/resource-name.ts'
import {
  type Secret,
  SecretSchema,
  type SecretVersion,
  SecretVersion_State,
  SecretVersionSchema,
} from '../gen/tenure/v1/secret_pb.ts'
import type { TenantContext } from '../tenancy/tenant-context.ts'
import type { SecretRow } from './secret.ts'
import type { SecretVersionRow } from './secret-version.ts'

export function secretName(context: TenantContext, slug: string): string {
  return nameIn(placeOf(context), 'secrets', slug)
}

export function versionName(context: TenantContext, slug: string, number: number): string {
  return `${secretName(context, slug)}/versions/${number}`
}

export function secretToProto(row: SecretRow, context: TenantContext): Secret {
  return create(SecretSchema, {
    name: secretName(context, row.slug),
    uid: row.secretId,
    etag: etagOf(row.secretId, row.version),
    createTime: timestampFromDate(row.createTime),
    updateTime: timestampFromDate(row.updateTime),
    latestVersion: BigInt(row.latestVersion),
    versionCount: BigInt(row.versionCount),
    labels: { ...row.labels },
  })
}

export function versionToProto(row: SecretVersionRow, slug: string, context: TenantContext): SecretVersion {
  return create(SecretVersionSchema, {
    name: versionName(context, slug, row.number),
    uid: row.secretVersionId,
    etag: etagOf(row.secretVersionId, row.version),
    createTime: timestampFromDate(row.createTime),
    updateTime: timestampFromDate(row.updateTime),
    ...(row.destroyTime === null ? {} : { destroyTime: timestampFromDate(row.destroyTime) }),
    state: SecretVersion_State[row.state],
    payloadBytes: BigInt(row.payloadBytes),
  })
}

function placeOf({ tenantSlug, workspaceSlug }: TenantContext): Place {
  return { tenant: tenantSlug, workspace: workspaceSlug }
}
