import { create, type DescMessage, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type { Grants } from '../access/grants.ts'
import { invalidField, notFound, TenureError } from '../base/errors.ts'
import { checkEtag, etagOf } from '../base/etag.ts'
import type { Ids } from '../base/ids.ts'
import { lastSegment } from '../base/resource-name.ts'
import { slugFromUid } from '../base/slug.ts'
import { fieldsToUpdate } from '../base/update-mask.ts'
import { type User, User_State, UserSchema } from '../gen/tenure/v1/user_pb.ts'
import type { UpdateUserRequest } from '../gen/tenure/v1/user_service_pb.ts'
import {
  CreateUserResponseSchema,
  DeleteUserResponseSchema,
  DisableUserResponseSchema,
  EnableUserResponseSchema,
  GetUserResponseSchema,
  ListUsersResponseSchema,
  UpdateUserResponseSchema,
  UserService,
} from '../gen/tenure/v1/user_service_pb.ts'
import { type Call, contextOf, implement, mutationOf, pageBindingOf, type ServiceImplementation } from '../rpc/call.ts'
import type { Demands } from '../rpc/ports.ts'
import { type ListSpec, listPage, type PageTokens } from '../tenancy/listing.ts'
import { assertNeverUsed, retireName } from '../tenancy/retired-names.ts'
import type { Scopes } from '../tenancy/scope.ts'
import type { Unit } from '../tenancy/tenant-unit.ts'
import { assertMaySwitch, removeWhatItHas } from './principal-removal.ts'
import type { UserRow } from './user.ts'
import { userRows } from './user-store.ts'

export interface UserServiceParts {
  readonly scopes: Scopes
  readonly tokens: PageTokens
  readonly ids: Ids
  readonly demands: Demands
  readonly grants: Grants
}

const collection = 'users'

const listSpec: ListSpec = {
  tieBreak: 'slug',
  fields: {
    name: { property: 'slug', kind: 'text', order: true },
    state: { property: 'state', kind: 'word', filter: true, words: ['ACTIVE', 'DISABLED'] },
    issuer: { property: 'issuer', kind: 'exactText', filter: true },
    subject: { property: 'subject', kind: 'exactText', filter: true },
    email: { property: 'email', kind: 'text', filter: true, order: true },
    create_time: { property: 'createTime', kind: 'time', filter: true, order: true },
  },
}

export function createUserService(parts: UserServiceParts): ServiceImplementation {
  return implement(UserService, {
    createUser(request, call) {
      const id = request.userId
      const target = id === '' ? `${request.parent}/users` : `${request.parent}/users/${id}`
      const mutation = mutationOf(call, CreateUserResponseSchema, { target, validateOnly: request.validateOnly })
      return parts.scopes.write(contextOf(call), mutation, async (unit) => {
        const row = await insertUser(parts, unit, request.user, id)
        return create(CreateUserResponseSchema, { user: userToProto(unit, row), revision: unit.revision })
      })
    },
    async getUser(request, call) {
      const user = await parts.scopes.read(contextOf(call), async (scope) => {
        const row = await userRows(scope).find({ slug: lastSegment(request.name) })
        if (row === undefined) throw notFound()
        return userToProto(scope, row)
      })
      return create(GetUserResponseSchema, { user })
    },
    async listUsers(request, call) {
      const binding = pageBindingOf(call, [request.parent, request.filter, request.orderBy])
      return parts.scopes.read(contextOf(call), async (scope) => {
        const page = await listPage(userRows(scope), listSpec, request, binding, parts.tokens)
        return create(ListUsersResponseSchema, {
          users: page.rows.map((row) => userToProto(scope, row)),
          nextPageToken: page.nextPageToken,
        })
      })
    },
    updateUser: (request, call) => updateUser(parts, request, call),
    disableUser: (request, call) => changeState(parts, request, call, DisableUserResponseSchema, 'DISABLED'),
    enableUser: (request, call) => changeState(parts, request, call, EnableUserResponseSchema, 'ACTIVE'),
    deleteUser(request, call) {
      const mutation = {
        ...mutationOf(call, DeleteUserResponseSchema, { target: request.name }),
        allWorkspaces: 'principal-removal' as const,
      }
      return parts.scopes.write(contextOf(call), mutation, async (unit) => {
        const row = await findUser(unit, request)
        await removeWhatItHas({ ...parts, call }, unit, row.userId, request.force)
        await userRows(unit).delete(row.userId)
        await retireName(unit, collection, row.slug)
        return create(DeleteUserResponseSchema, { user: userToProto(unit, row), revision: unit.revision })
      })
    },
  })
}

async function insertUser(parts: UserServiceParts, unit: Unit, user: User | undefined, id: string): Promise<UserRow> {
  if (!user?.issuer) throw invalidField('user.issuer', 'must be set: who vouches for this identity')
  if (!user.subject) throw invalidField('user.subject', 'must be set: the identity at that issuer')
  const userId = parts.ids.next()
  const slug = id === '' ? slugFromUid('user', userId) : id
  await assertNeverUsed(unit, collection, slug)
  if ((await userRows(unit).find({ slug })) !== undefined) throw taken(`a user ${JSON.stringify(slug)}`)
  const { issuer, subject } = user
  if ((await userRows(unit).find({ issuer, subject })) !== undefined) throw taken('a user of that issuer and subject')
  const row: UserRow = {
    tenantId: unit.context.tenantId,
    userId,
    slug,
    issuer,
    subject,
    email: user.email,
    emailVerified: user.emailVerified,
    displayName: user.displayName,
    state: 'ACTIVE',
    version: 1,
    createTime: unit.now,
    updateTime: unit.now,
  }
  unit.target(nameOf(unit, row))
  await userRows(unit).insert(row)
  return row
}

function taken(what: string): TenureError {
  return new TenureError('ALREADY_EXISTS', `There is ${what} in this tenant already. Use that one, or choose another.`)
}

async function updateUser(parts: UserServiceParts, request: UpdateUserRequest, call: Call) {
  const { user } = request
  if (user === undefined || user.name === '') throw invalidField('user.name', 'must be set')
  const fields = fieldsToUpdate(request.updateMask?.paths ?? [], ['email', 'email_verified', 'display_name'], {
    email: user.email !== '',
    email_verified: user.emailVerified,
    display_name: user.displayName !== '',
  })
  const context = contextOf(call)
  const mutation = mutationOf(call, UpdateUserResponseSchema, { target: user.name, validateOnly: request.validateOnly })
  return parts.scopes.write(context, mutation, async (unit) => {
    const found = await userRows(unit).find({ slug: lastSegment(user.name) })
    if (found === undefined && request.allowMissing) {
      await parts.demands.demand(call, context, 'users.create')
      const row = await insertUser(parts, unit, user, lastSegment(user.name))
      return create(UpdateUserResponseSchema, { user: userToProto(unit, row), revision: unit.revision })
    }
    if (found === undefined) throw notFound()
    checkEtag(user.etag, found.userId, found.version)
    unit.note('fields', [...fields].sort())
    const row = await writeUser(unit, found, {
      ...(fields.has('email') ? { email: user.email } : {}),
      ...(fields.has('email_verified') ? { emailVerified: user.emailVerified } : {}),
      ...(fields.has('display_name') ? { displayName: user.displayName } : {}),
    })
    return create(UpdateUserResponseSchema, { user: userToProto(unit, row), revision: unit.revision })
  })
}

async function changeState<O extends DescMessage>(
  parts: UserServiceParts,
  request: { readonly name: string; readonly etag: string },
  call: Call,
  response: O,
  state: UserRow['state'],
): Promise<MessageShape<O>> {
  const mutation = {
    ...mutationOf(call, response, { target: request.name }),
    allWorkspaces: 'principal-removal' as const,
  }
  return parts.scopes.write(contextOf(call), mutation, async (unit) => {
    const found = await findUser(unit, request)
    if (found.state === state) {
      throw new TenureError('INVALID_STATE', `The user is ${state} already.`, { metadata: { state } })
    }
    const row = await writeUser(unit, found, { state })
    await assertMaySwitch({ ...parts, call }, unit, found.userId)
    return create(response, {
      user: userToProto(unit, row),
      revision: unit.revision,
    } as unknown as MessageInitShape<O>)
  })
}

async function findUser(unit: Unit, request: { readonly name: string; readonly etag: string }): Promise<UserRow> {
  const found = await userRows(unit).find({ slug: lastSegment(request.name) })
  if (found === undefined) throw notFound()
  checkEtag(request.etag, found.userId, found.version)
  return found
}

async function writeUser(unit: Unit, found: UserRow, changes: Partial<UserRow>): Promise<UserRow> {
  const written = { ...changes, version: found.version + 1, updateTime: unit.now }
  await userRows(unit).update(found.userId, written)
  return { ...found, ...written }
}

function nameOf({ context }: Pick<Unit, 'context'>, { slug }: UserRow): string {
  return `tenants/${context.tenantSlug}/users/${slug}`
}

function userToProto(scope: Pick<Unit, 'context'>, row: UserRow): User {
  return create(UserSchema, {
    name: nameOf(scope, row),
    uid: row.userId,
    etag: etagOf(row.userId, row.version),
    createTime: timestampFromDate(row.createTime),
    updateTime: timestampFromDate(row.updateTime),
    issuer: row.issuer,
    subject: row.subject,
    email: row.email,
    emailVerified: row.emailVerified,
    displayName: row.displayName,
    state: User_State[row.state],
  })
}
