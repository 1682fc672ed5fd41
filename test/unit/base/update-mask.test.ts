import { expect, test } from 'vitest'
import { fieldsToUpdate } from '../../../src/base/update-mask.ts'

const changeable = ['display_name', 'labels'] as const
const set = { display_name: true, labels: false }
const fields = (...paths: string[]): string[] => [...fieldsToUpdate(paths, changeable, set)]

test('no mask means the fields that are set', () => {
  expect(fields()).toEqual(['display_name'])
})

test('a star means every changeable field, set or not', () => {
  expect(fields('*')).toEqual(['display_name', 'labels'])
})

test('a named field is updated even when it is empty: that is how it is cleared', () => {
  expect(fields('labels')).toEqual(['labels'])
  expect(fields('labels', 'labels', 'display_name')).toEqual(['labels', 'display_name'])
})

test.each([['uid'], ['displayName'], ['display_name.x'], [''], ['labels', '*'], ['__proto__'], ['constructor']])(
  'a mask of %j is refused by name, whatever else it names',
  (...paths) => {
    expect(() => fields(...paths)).toThrow(
      expect.objectContaining({
        reason: 'INVALID_UPDATE_MASK',
        fieldViolations: [expect.objectContaining({ field: 'update_mask' })],
      }),
    )
  },
)
