import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import {
  createFileRegistry,
  type DescEnum,
  type DescEnumValue,
  type DescField,
  type DescFile,
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  getOption,
  hasOption,
  ScalarType,
} from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { MethodPolicy_ScopeSchema, method_policy } from '../../src/gen/tenure/v1/method_policy_pb.ts'

const root = join(import.meta.dirname, '../..')
const ours = 'tenure/v1/'

/** The definitions with their comments, which generated code leaves out. */
function files(): readonly DescFile[] {
  const image = execFileSync(
    join(root, 'node_modules/.bin/buf'),
    ['build', 'proto', '--as-file-descriptor-set', '-o', '-'],
    {
      cwd: root,
      maxBuffer: 64 * 1024 * 1024,
    },
  )
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image))
  return [...registry.files].filter(({ name }) => name.startsWith(ours)).sort((a, b) => (a.name < b.name ? -1 : 1))
}

type Documented = DescService | DescMethod | DescMessage | DescField | DescEnum | DescEnumValue

/** Where a thing stands in the descriptor of its file, as its source info names places: field numbers and indices. */
function pathOf(desc: Documented): readonly number[] {
  switch (desc.kind) {
    case 'service':
      return [6, desc.file.proto.service.indexOf(desc.proto)]
    case 'rpc':
      return [...pathOf(desc.parent), 2, desc.parent.proto.method.indexOf(desc.proto)]
    case 'field':
      return [...pathOf(desc.parent), 2, desc.parent.proto.field.indexOf(desc.proto)]
    case 'enum_value':
      return [...pathOf(desc.parent), 2, desc.parent.proto.value.indexOf(desc.proto)]
    case 'message':
      if (desc.parent === undefined) return [4, desc.file.proto.messageType.indexOf(desc.proto)]
      return [...pathOf(desc.parent), 3, desc.parent.proto.nestedType.indexOf(desc.proto)]
    case 'enum':
      if (desc.parent === undefined) return [5, desc.file.proto.enumType.indexOf(desc.proto)]
      return [...pathOf(desc.parent), 4, desc.parent.proto.enumType.indexOf(desc.proto)]
  }
}

const comments = new WeakMap<DescFile, ReadonlyMap<string, string>>()

function commentOf(desc: Documented): string {
  const file = 'file' in desc ? desc.file : fileOf(desc.parent)
  const known =
    comments.get(file) ??
    new Map(
      (file.proto.sourceCodeInfo?.location ?? []).map(({ path, leadingComments }) => [path.join(), leadingComments]),
    )
  comments.set(file, known)
  return (known.get(pathOf(desc).join()) ?? '').replaceAll(/\s*\n\s*/g, ' ').trim()
}

function fileOf(desc: DescService | DescMessage | DescEnum): DescFile {
  return desc.file
}

/** docs/api.md: every service, method and message as the protos say them. */
export function apiPage(): string {
  const all = files()
  const services = all.flatMap((file) => file.services)
  const messages = all.flatMap((file) => file.messages)
  const requests = new Set(
    services.flatMap(({ methods }) => methods.flatMap(({ input, output }) => [input.typeName, output.typeName])),
  )
  const shared = messages.filter(({ typeName }) => !requests.has(typeName)).sort((a, b) => (a.name < b.name ? -1 : 1))
  const parts = [
    '# API reference\n\nGenerated from `proto/tenure/v1`; do not edit. What all of it has in common (names, paging, etags, request ids, revisions, errors)',
    'is in [architecture.md](architecture.md) and [errors.md](errors.md); the definitions themselves, for a client in any language, are in',
    '`proto/released/tenure.binpb`. Beside these services Tenure serves `google.longrunning.Operations`, `grpc.health.v1.Health` and reflection.\n',
    ...services.map((service) => `- [${service.name}](#${service.name.toLowerCase()})`),
    '- [Messages](#messages)\n- [Enums](#enums)\n',
    ...services.flatMap((service) => [
      `## ${service.name}\n\n${commentOf(service)}\n`,
      ...service.methods.map(methodPart),
    ]),
    '## Messages\n',
    ...shared.map((message) => messagePart(message, '###')),
    '## Enums\n',
    ...all.flatMap((file) => file.enums).map(enumPart),
  ]
  return `${parts
    .join('\n')
    .replaceAll(/\n{3,}/g, '\n\n')
    .trimEnd()}\n`
}

const scopeNames = new Map(
  MethodPolicy_ScopeSchema.values.map(({ number, localName }) => [number, localName.toLowerCase()] as const),
)

function methodPart(method: DescMethod): string {
  const policy = hasOption(method, method_policy) ? getOption(method, method_policy) : undefined
  const scopes = (policy?.scopes ?? []).map((scope) => scopeNames.get(Number(scope))).join(', ')
  const get = method.idempotency === 1 ? ' May be called by HTTP GET over Connect.' : ''
  const facts = `Scope: ${scopes}. ${policy?.auditEvent ? `Audited as \`${policy.auditEvent}\`.` : 'Not audited unless refused.'}${get}`
  return [
    `### ${method.name}\n\n${commentOf(method)}\n\n${facts}\n`,
    fieldTable(`\`${method.input.name}\``, method.input),
    ...nestedParts(method.input),
    fieldTable(`\`${method.output.name}\``, method.output),
    ...nestedParts(method.output),
  ].join('\n')
}

function messagePart(message: DescMessage, heading: string): string {
  return [
    `${heading} ${message.name}\n\n${commentOf(message)}\n`,
    fieldTable('', message),
    ...nestedParts(message),
  ].join('\n')
}

/** What is defined inside a message. */
function nestedParts(message: DescMessage): string[] {
  const enums = message.nestedEnums.map(
    (each) =>
      `\`${message.name}.${each.name}\`: ${commentOf(each)}\n\n${each.values.map((value) => `- \`${value.name}\`: ${commentOf(value)}`).join('\n')}\n`,
  )
  const nested = message.nestedMessages.filter(({ fields }) => fields.length > 0)
  return [
    ...enums,
    ...nested.map((each) => `\`${message.name}.${each.name}\`: ${commentOf(each)}\n\n${fieldTable('', each)}`),
  ]
}

function enumPart(each: DescEnum): string {
  const values = each.values.map((value) => `- \`${value.name}\`: ${commentOf(value)}`)
  return `### ${each.name}\n\n${commentOf(each)}\n\n${values.join('\n')}\n`
}

function fieldTable(title: string, message: DescMessage): string {
  if (message.fields.length === 0) return title === '' ? '' : `${title}: no fields.\n`
  const rows = message.fields.map((field) => `| \`${field.name}\` | ${typeOf(field)} | ${cell(field)} |`)
  return [...(title === '' ? [] : [`${title}:\n`]), '| Field | Type | |', '| --- | --- | --- |', ...rows, ''].join('\n')
}

function cell(field: DescField): string {
  const choice = field.oneof === undefined ? '' : `One of \`${field.oneof.name}\`. `
  return `${choice}${commentOf(field)}`.replaceAll('|', '\\|')
}

function typeOf(field: DescField): string {
  switch (field.fieldKind) {
    case 'scalar':
      return ScalarType[field.scalar].toLowerCase()
    case 'enum':
      return `\`${field.enum.name}\``
    case 'message':
      return `\`${field.message.name}\``
    case 'list':
      return `list of ${field.listKind === 'message' ? `\`${field.message.name}\`` : field.listKind === 'enum' ? `\`${field.enum.name}\`` : ScalarType[field.scalar].toLowerCase()}`
    case 'map':
      return 'map of string'
  }
}
