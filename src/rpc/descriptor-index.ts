import { type DescFile, type DescMessage, type DescService, toBinary } from '@bufbuild/protobuf'
import { nestedTypes } from '@bufbuild/protobuf/reflect'
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt'
import { packedFiles } from './packed-messages.ts'

/** What reflection answers from: the files of the services and everything they import, custom options kept. */
export interface DescriptorIndex {
  readonly serviceNames: readonly string[]
  /** The file and, after it, every file it imports. Undefined: no such file. */
  fileByName(name: string): readonly Uint8Array[] | undefined
  fileOfSymbol(symbol: string): readonly Uint8Array[] | undefined
  fileOfExtension(extendee: string, number: number): readonly Uint8Array[] | undefined
  extensionNumbers(extendee: string): readonly number[] | undefined
}

export function createDescriptorIndex(services: readonly DescService[]): DescriptorIndex {
  const files = new Map<string, DescFile>()
  for (const service of services) collect(service.file, files)
  // No method names them, but answers and failures carry them: without, a client that only reflects shows bytes.
  for (const file of packedFiles) collect(file, files)
  const symbols = new Map<string, DescFile>()
  const extensions = new Map<string, Map<number, DescFile>>()
  for (const file of files.values()) indexFile(file, symbols, extensions)
  const answers = new Map<DescFile, readonly Uint8Array[]>()
  const answerOf = (file: DescFile | undefined) => {
    if (file === undefined) return undefined
    const answer = answers.get(file) ?? encodeWithImports(file)
    answers.set(file, answer)
    return answer
  }
  return {
    serviceNames: services.map((service) => service.typeName).sort(),
    fileByName: (name) => answerOf(files.get(name)),
    fileOfSymbol: (symbol) => answerOf(symbols.get(symbol)),
    fileOfExtension: (extendee, number) => answerOf(extensions.get(extendee)?.get(number)),
    extensionNumbers: (extendee) => {
      const numbers = extensions.get(extendee)
      if (numbers !== undefined) return [...numbers.keys()].sort((a, b) => a - b)
      return symbols.has(extendee) ? [] : undefined
    },
  }
}

function collect(file: DescFile, files: Map<string, DescFile>): void {
  const name = file.proto.name
  if (files.has(name)) return
  files.set(name, file)
  for (const dependency of file.dependencies) collect(dependency, files)
}

function encodeWithImports(file: DescFile): readonly Uint8Array[] {
  const closure = new Map<string, DescFile>()
  collect(file, closure)
  return [...closure.values()].map((each) => toBinary(FileDescriptorProtoSchema, each.proto))
}

function indexFile(
  file: DescFile,
  symbols: Map<string, DescFile>,
  extensions: Map<string, Map<number, DescFile>>,
): void {
  for (const type of nestedTypes(file)) {
    symbols.set(type.typeName, file)
    if (type.kind === 'extension') {
      const numbers = extensions.get(type.extendee.typeName) ?? new Map<number, DescFile>()
      extensions.set(type.extendee.typeName, numbers.set(type.number, file))
    } else if (type.kind === 'message') {
      indexMembers(type, file, symbols)
    } else if (type.kind === 'enum') {
      // An enum value is named beside its enum, not inside it.
      const scope = type.typeName.slice(0, -type.name.length)
      for (const value of type.values) symbols.set(`${scope}${value.name}`, file)
    } else {
      for (const method of type.methods) symbols.set(`${type.typeName}.${method.name}`, file)
    }
  }
}

function indexMembers(message: DescMessage, file: DescFile, symbols: Map<string, DescFile>): void {
  for (const member of [...message.fields, ...message.oneofs]) symbols.set(`${message.typeName}.${member.name}`, file)
}
