import { type Client, createClient, type Transport } from '@connectrpc/connect'
import { type AddSecretVersionResponse, SecretService } from '../../src/gen/tenure/v1/secret_service_pb.ts'
import type { Chance } from '../support/crash-chance.ts'
import { reasonOf } from '../support/reason.ts'

/** A value somebody asked to be kept. */
export interface Add {
  readonly parent: string
  readonly payload: Buffer
  readonly requestId: string
  answer: AddSecretVersionResponse | undefined
}

/** A value somebody was given. */
export interface Had {
  readonly name: string
  readonly callId: string
}

/** Something that is gone for good, once it was acknowledged. */
export interface Gone {
  readonly name: string
  readonly requestId: string
  acknowledged: boolean
}

/** Everything that was asked for and answered, whatever became of the server. */
export interface LoadRecord {
  readonly parents: readonly string[]
  readonly adds: Add[]
  readonly had: Had[]
  readonly destroyed: Gone[]
  readonly deleted: Gone[]
  /** Answers that cannot be: another value than the one that was added, or a refusal of what is right. */
  readonly wrong: string[]
}

export function emptyRecord(parents: readonly string[]): LoadRecord {
  return { parents, adds: [], had: [], destroyed: [], deleted: [], wrong: [] }
}

export interface RunningLoad {
  /** Resolves when every caller has lost its server or was told to stop. */
  stop(): Promise<void>
  acknowledged(): number
}

/** Calls without pause, `workers` at a time, until the server is gone. */
export function startLoad(transport: Transport, record: LoadRecord, chance: Chance, workers: number): RunningLoad {
  const load = new Load(createClient(SecretService, transport), record, chance)
  const done = Promise.all(Array.from({ length: workers }, () => load.work()))
  return {
    acknowledged: () => load.acknowledged,
    async stop() {
      load.stopped = true
      await done
    },
  }
}

class Load {
  readonly #secrets: Client<typeof SecretService>
  readonly #record: LoadRecord
  readonly #chance: Chance
  stopped = false
  acknowledged = 0

  constructor(secrets: Client<typeof SecretService>, record: LoadRecord, chance: Chance) {
    this.#secrets = secrets
    this.#record = record
    this.#chance = chance
  }

  async work(): Promise<void> {
    while (!this.stopped) {
      const drawn = this.#chance.below(100)
      const call =
        drawn < 30 ? this.#add() : drawn < 84 ? this.#access() : drawn < 93 ? this.#destroy() : this.#delete()
      const outcome = await reasonOf(call)
      if (outcome === 'OK') this.acknowledged += 1
      else if (/^[A-Z_]+$/.test(outcome)) this.#refused(outcome)
      // No reason: nobody answered.
      else return
    }
  }

  #refused(reason: string): void {
    // A value may be destroyed while somebody else asks for it.
    if (reason !== 'INVALID_STATE') this.#record.wrong.push(reason)
  }

  async #add(): Promise<void> {
    const { adds, parents } = this.#record
    const value = `value-${adds.length}-${'x'.repeat(this.#chance.below(300))}`
    const add: Add = {
      parent: this.#chance.pick(parents),
      payload: Buffer.from(value),
      requestId: `add-${adds.length}`,
      answer: undefined,
    }
    adds.push(add)
    const { parent, payload, requestId } = add
    add.answer = await this.#secrets.addSecretVersion({ parent, payload, requestId })
  }

  /** One that was acknowledged and that nobody has begun to destroy. */
  #standing(): Add | undefined {
    const { adds, destroyed } = this.#record
    const add = adds.length === 0 ? undefined : this.#chance.pick(adds)
    const name = add?.answer?.secretVersion?.name
    return name === undefined || destroyed.some((gone) => gone.name === name) ? undefined : add
  }

  async #access(): Promise<void> {
    const add = this.#standing()
    if (add === undefined) return this.#add()
    const name = add.answer?.secretVersion?.name ?? ''
    let callId = ''
    const onHeader = (headers: Headers) => {
      callId = headers.get('tenure-request-id') ?? ''
    }
    const { payload } = await this.#secrets.accessSecretVersion({ name }, { onHeader })
    this.#record.had.push({ name, callId })
    if (!add.payload.equals(payload)) this.#record.wrong.push(`${name} opened as another value`)
  }

  async #destroy(): Promise<void> {
    const add = this.#standing()
    if (add === undefined) return this.#add()
    const { destroyed } = this.#record
    const name = add.answer?.secretVersion?.name ?? ''
    const gone: Gone = { name, requestId: `destroy-${destroyed.length}`, acknowledged: false }
    destroyed.push(gone)
    await this.#secrets.destroySecretVersion({ name, requestId: gone.requestId })
    gone.acknowledged = true
  }

  async #delete(): Promise<void> {
    const { deleted } = this.#record
    const secretId = `goner-${deleted.length}`
    const parent = (this.#record.parents[0] ?? '').split('/').slice(0, 4).join('/')
    const gone: Gone = { name: `${parent}/secrets/${secretId}`, requestId: `delete-${secretId}`, acknowledged: false }
    deleted.push(gone)
    await this.#secrets.createSecret({ parent, secretId, requestId: `create-${secretId}` })
    await this.#secrets.addSecretVersion({
      parent: gone.name,
      payload: Buffer.from('gone'),
      requestId: `of-${secretId}`,
    })
    await this.#secrets.deleteSecret({ name: gone.name, requestId: gone.requestId })
    gone.acknowledged = true
  }
}
