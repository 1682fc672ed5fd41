import { create } from '@bufbuild/protobuf'
import { crc32c } from '../base/crc32c.ts'
import { TenureError } from '../base/errors.ts'
import {
  type AccessSecretVersionRequest,
  type AccessSecretVersionResponse,
  AccessSecretVersionResponseSchema,
} from '../gen/tenure/v1/secret_service_pb.ts'
import type { WorkspaceSealer } from '../keyring/workspace-sealer.ts'
import { actorOf, type Call, callerOf, contextOf } from '../rpc/call.ts'
import type { AccessRecorder } from '../rpc/ports.ts'
import type { Scopes } from '../tenancy/scope.ts'
import { failureFromKeyring, isUnreadable, versionPlace } from './sealed-payload.ts'
import { versionName } from './secret-proto.ts'
import { findVersion } from './secret-store.ts'

export interface AccessParts {
  readonly scopes: Scopes
  readonly sealer: WorkspaceSealer
  readonly recorder: AccessRecorder
}

export async function accessSecretVersion(
  parts: AccessParts,
  request: AccessSecretVersionRequest,
  call: Call,
): Promise<AccessSecretVersionResponse> {
  const context = contextOf(call)
  const { secret, version } = await parts.scopes.read(context, (scope) => findVersion(scope, request.name))
  const { envelope, state, number } = version
  const name = versionName(context, secret.slug, number)
  if (state !== 'ENABLED' || envelope === null) {
    throw new TenureError(
      'INVALID_STATE',
      `Version ${number} is ${state}; only the value of an enabled one can be had.`,
      {
        metadata: { state },
      },
    )
  }
  call.gaveAccess(name)
  const payload = await opened(parts, call, name, () =>
    parts.sealer.open(versionPlace(context, secret.secretId, number), envelope),
  )
  return create(AccessSecretVersionResponseSchema, { name, payload, payloadCrc32c: crc32c(payload) })
}

/** A ciphertext that is not the one sealed at its place is an attack, or a restore gone wrong: the tenant's audit log says so, the caller learns nothing. */
async function opened(
  { recorder }: AccessParts,
  call: Call,
  target: string,
  open: () => Promise<Uint8Array>,
): Promise<Uint8Array> {
  try {
    return await open()
  } catch (error) {
    if (isUnreadable(error)) {
      const caller = callerOf(call)
      const event = { context: contextOf(call), caller, actor: actorOf(call), event: call.auditEvent }
      recorder.record({ ...event, target, denied: true, reason: error.reason })
    }
    throw failureFromKeyring(error)
  }
}
