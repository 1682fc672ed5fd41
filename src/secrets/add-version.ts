import { create } from '@bufbuild/protobuf'
import { crc32c } from '../base/crc32c.ts'
import { invalidField, TenureError } from '../base/errors.ts'
import type { Ids } from '../base/ids.ts'
import {
  type AddSecretVersionRequest,
  type AddSecretVersionResponse,
  AddSecretVersionResponseSchema,
} from '../gen/tenure/v1/secret_service_pb.ts'
import type { PreparedSeal, WorkspaceSealer } from '../keyring/workspace-sealer.ts'
import { type Call, contextOf, mutationOf } from '../rpc/call.ts'
import type { Scopes } from '../tenancy/scope.ts'
import type { Unit } from '../tenancy/tenant-unit.ts'
import { failureFromKeyring, payloadPlace, versionPlace } from './sealed-payload.ts'
import { maxVersionsPerSecret, type SecretRow } from './secret.ts'
import { versionName, versionToProto } from './secret-proto.ts'
import { findSecret, secretRows, secretVersionRows } from './secret-store.ts'
import type { SecretVersionRow } from './secret-version.ts'

export interface AddParts {
  readonly scopes: Scopes
  readonly ids: Ids
  readonly sealer: WorkspaceSealer
}

/** The keyring is asked before the transaction, so that nothing waits for it under a lock; the value is sealed inside, where its number is known. */
export async function addSecretVersion(
  parts: AddParts,
  request: AddSecretVersionRequest,
  call: Call,
): Promise<AddSecretVersionResponse> {
  const { payload, payloadCrc32c } = request
  if (payloadCrc32c !== undefined && payloadCrc32c !== crc32c(payload)) {
    throw invalidField('payload_crc32c', 'is not the CRC-32C of the payload; send both again')
  }
  const context = contextOf(call)
  const mutation = mutationOf(call, AddSecretVersionResponseSchema, { target: request.parent })
  // A repetition is answered whether or not the keyring can be asked.
  const answered = await parts.scopes.answered(context, mutation)
  if (answered !== undefined) return answered
  const isFirst = () =>
    parts.scopes.read(context, async (scope) => (await secretVersionRows(scope).find({})) === undefined)
  using seal = await prepared(parts.sealer.prepare(payloadPlace(context), isFirst))
  // Awaited here: the data key ends with this function.
  return await parts.scopes.writeVolume(context, mutation, async (unit) => {
    const secret = await findSecret(unit, request.parent)
    assertRoom(secret, request.expectedLatest)
    const row = await insertVersion(parts, unit, secret, payload, seal)
    unit.target(versionName(context, secret.slug, row.number))
    const secretVersion = versionToProto(row, secret.slug, context)
    return create(AddSecretVersionResponseSchema, { secretVersion, revision: unit.revision })
  })
}

async function prepared(seal: Promise<PreparedSeal>): Promise<PreparedSeal> {
  try {
    return await seal
  } catch (error) {
    throw failureFromKeyring(error)
  }
}

function assertRoom({ latestVersion, versionCount }: SecretRow, expectedLatest: string): void {
  if (expectedLatest !== '' && Number(expectedLatest) !== latestVersion) {
    throw new TenureError(
      'ETAG_MISMATCH',
      `The latest version is ${latestVersion}, not ${expectedLatest}. Look at it, and add yours again.`,
    )
  }
  if (versionCount >= maxVersionsPerSecret) {
    throw new TenureError(
      'INVALID_STATE',
      `A secret has at most ${maxVersionsPerSecret} versions. Create another secret.`,
      { metadata: { state: 'FULL' } },
    )
  }
}

async function insertVersion(
  { ids }: AddParts,
  unit: Unit,
  secret: SecretRow,
  payload: Uint8Array,
  seal: PreparedSeal,
): Promise<SecretVersionRow> {
  const number = secret.latestVersion + 1
  const row: SecretVersionRow = {
    tenantId: unit.context.tenantId,
    workspaceId: unit.context.workspaceId,
    secretVersionId: ids.next(),
    secretId: secret.secretId,
    number,
    state: 'ENABLED',
    payloadBytes: payload.length,
    envelope: seal.seal(versionPlace(unit.context, secret.secretId, number), payload),
    version: 1,
    createTime: unit.now,
    updateTime: unit.now,
    destroyTime: null,
  }
  await secretVersionRows(unit).insert(row)
  await secretRows(unit).update(secret.secretId, {
    latestVersion: number,
    versionCount: secret.versionCount + 1,
    version: secret.version + 1,
    updateTime: unit.now,
  })
  return row
}
