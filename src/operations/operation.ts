/** OPEN: waits for a server, or is being done by the one that holds its lease. The others are ends. */
export type OperationState = 'OPEN' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED'

/** Why an operation failed, as its owner may read it. */
export interface OperationError {
  /** Number of the canonical code. */
  readonly code: number
  readonly reason: string
  readonly message: string
}

/** Who asked for it, as the audit chain records it. */
export interface OperationActor {
  readonly principal: string
  readonly credential: string
  readonly requestId: string
  readonly clientIp: string
}

/** Words and numbers a job begins with, or goes on from: small, and never a secret. */
export type OperationNotes = Readonly<Record<string, string | number>>

export interface OperationRow {
  /** The nil UUID for operations of the platform. */
  readonly tenantId: string
  readonly operationId: string
  /** What it does, e.g. `tenants.purge`: names the job. */
  readonly kind: string
  /** To what: a resource name; empty where it is about all. */
  readonly target: string
  readonly state: OperationState
  readonly actor: OperationActor
  /** What it was asked for with. */
  readonly input: OperationNotes
  /** Where whoever takes it up goes on. */
  readonly checkpoint: OperationNotes
  readonly phase: string
  readonly done: number
  readonly total: number
  readonly message: string
  readonly cancelRequested: boolean
  /** How often it was taken up. What a server writes counts only while this is the number it took it up with. */
  readonly attempt: number
  /** How many of those take-ups ended in a way nobody foresaw, or not at all. */
  readonly failureCount: number
  /** The process that holds it; empty when none does. */
  readonly leaseHolder: string
  /** From then on any server may take it up. */
  readonly leaseExpireTime: Date
  readonly error: OperationError | null
  /** Full name of the response's message; empty before it has one. */
  readonly responseType: string
  readonly response: Uint8Array | null
  readonly createTime: Date
  readonly updateTime: Date
  readonly endTime: Date | null
  readonly expireTime: Date | null
}

/** A new one, that the next server to look will take up. */
export interface NewOperation {
  readonly tenantId: string
  readonly operationId: string
  readonly kind: string
  readonly target: string
  readonly actor: OperationActor
  readonly input: OperationNotes
  readonly now: Date
}

export function newOperation({ now, ...given }: NewOperation): OperationRow {
  return {
    ...given,
    state: 'OPEN',
    checkpoint: {},
    ...{ phase: '', done: 0, total: 0, message: '' },
    cancelRequested: false,
    ...{ attempt: 0, failureCount: 0, leaseHolder: '', leaseExpireTime: now },
    ...{ error: null, responseType: '', response: null },
    ...{ createTime: now, updateTime: now, endTime: null, expireTime: null },
  }
}
