import { gzipSync } from 'node:zlib'
import type { DescField } from '@bufbuild/protobuf'
import type { RequestField } from './request-fields.ts'

export interface HostileBytes {
  readonly name: string
  readonly bytes: Uint8Array
}

/** Bytes that are no message at all. */
export const noMessage: ReadonlySet<string> = new Set([
  'endless varint',
  'field number zero',
  'length past the end',
  'length of two gigabytes',
  'over the cap',
])

/** A varint of any 64-bit value. */
function varint(value: bigint): Buffer {
  const bytes: number[] = []
  let left = BigInt.asUintN(64, value)
  do {
    const more = left > 0x7fn
    bytes.push(Number(left & 0x7fn) | (more ? 0x80 : 0))
    left >>= 7n
  } while (left > 0n)
  return Buffer.from(bytes)
}

const tag = (number: number, wireType: number): Buffer => varint(BigInt(number * 8 + wireType))
const delimited = (number: number, body: Uint8Array): Buffer =>
  Buffer.concat([tag(number, 2), varint(BigInt(body.length)), body])

/** A field as it lies in the request: what is appended to a message is merged into it. */
function wrapped(chain: readonly DescField[], inner: Uint8Array): Buffer {
  return chain
    .slice(0, -1)
    .toReversed()
    .reduce<Buffer>((body, step) => delimited(step.number, body), Buffer.from(inner))
}

/** The whole message, broken. */
export function brokenMessages(base: Uint8Array): HostileBytes[] {
  const cuts = [1, 2, 3, Math.floor(base.length / 2), base.length - 1].filter((at) => at > 0 && at < base.length)
  return [
    { name: 'empty', bytes: new Uint8Array(0) },
    ...cuts.map((at) => ({ name: `cut at ${at}`, bytes: base.subarray(0, at) })),
    { name: 'endless varint', bytes: Buffer.alloc(30, 0xff) },
    { name: 'field number zero', bytes: Buffer.concat([base, Buffer.from([0x02, 0x00])]) },
    { name: 'length past the end', bytes: Buffer.concat([base, Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x07])]) },
    {
      name: 'length of two gigabytes',
      bytes: Buffer.concat([Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]), base]),
    },
    { name: 'open groups', bytes: Buffer.concat([base, Buffer.alloc(200_000, 0x0b)]) },
    { name: 'closed group', bytes: Buffer.concat([base, Buffer.from([0x0c])]) },
    { name: 'wire type seven', bytes: Buffer.concat([base, Buffer.from([0x0f, 0x01])]) },
    { name: 'twice', bytes: Buffer.concat([base, base]) },
    { name: 'noise', bytes: Buffer.from(Array.from({ length: 4_096 }, (_, at) => (at * 7919 + 13) % 251)) },
    { name: 'unknown fields', bytes: Buffer.concat([base, delimited(9_999, Buffer.alloc(500_000, 0x61))]) },
    { name: 'over the cap', bytes: Buffer.concat([base, delimited(9_999, Buffer.alloc(1_100_000, 0x61))]) },
  ]
}

export function brokenFields(base: Uint8Array, { chain, desc, path }: RequestField): HostileBytes[] {
  const { number } = desc
  const inner: Record<string, Buffer> = {
    'as varint': Buffer.concat([tag(number, 0), varint(1n)]),
    'as fixed64': Buffer.concat([tag(number, 1), Buffer.alloc(8, 0xff)]),
    'as fixed32': Buffer.concat([tag(number, 5), Buffer.alloc(4, 0xff)]),
    'as group': Buffer.concat([tag(number, 3), tag(number, 4)]),
    'not utf-8': delimited(number, Buffer.from([0xc3, 0x28, 0xff, 0xed, 0xa0, 0x80])),
    'as many bytes': delimited(number, Buffer.alloc(100_000, 0x61)),
    'largest varint': Buffer.concat([tag(number, 0), varint(-1n)]),
    'smallest int64': Buffer.concat([tag(number, 0), varint(-(2n ** 63n))]),
    'unknown enum': Buffer.concat([tag(number, 0), varint(99n)]),
  }
  if (desc.fieldKind === 'message' && desc.message.typeName === 'google.protobuf.Timestamp') {
    for (const [seconds, nanos] of impossibleTimes) {
      const time = Buffer.concat([tag(1, 0), varint(seconds), tag(2, 0), varint(nanos)])
      inner[`time ${seconds}.${nanos}`] = delimited(number, time)
    }
  }
  return Object.entries(inner).map(([kind, bytes]) => ({
    name: `${path}: ${kind}`,
    bytes: Buffer.concat([base, wrapped(chain, bytes)]),
  }))
}

/** Beyond what protobuf's own JSON can write: year 10000, the edges of int64, nanos that are none. */
const impossibleTimes: readonly (readonly [bigint, bigint])[] = [
  [253_402_300_800n, 0n],
  [8_640_000_000_000n, 0n],
  [2n ** 63n - 1n, 0n],
  [-(2n ** 63n), 0n],
  [-62_135_596_801n, 0n],
  [4_000_000_000n, -1n],
  [4_000_000_000n, 2_000_000_000n],
]

/** Ten kilobytes that unpack to more than any server should hold. */
export function gzipBomb(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(gzipSync(Buffer.alloc(64 * 1024 * 1024, 0x20), { level: 9 }))
}
