import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseMessage } from '../../src/carriers/json-messages.ts';

const read = (text: string): unknown => parseMessage(Buffer.from(text));
/** An object with so many others in it, one within the other. */
const nested = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;

describe('a stream’s message', () => {
  test('is read as JSON reads it, whatever stands in its strings', () => {
    const member = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60, size: 'max' }),
      fc.constantFrom('[[[[[[[[[[[[[[[[[[[[', '}}}}', '"{', '\\', '\\"', '\\\\"['),
      fc.jsonValue({ maxDepth: 3 }),
    );
    const spaces = fc.constantFrom('', ' ', '\n\t\r ');
    fc.assert(
      fc.property(fc.dictionary(fc.string(), member, { maxKeys: 8 }), spaces, (message, space) => {
        const text = space + JSON.stringify(message, null, space.length) + space;
        // A sign alone of what is left of a pair is written another way by UTF-8.
        const known: unknown = JSON.parse(Buffer.from(text).toString());
        expect(read(text)).toEqual(Buffer.byteLength(text) <= 16_384 ? known : null);
      }),
      { numRuns: 200 },
    );
  });

  test('is none when it is no object, or no JSON', () => {
    for (const text of [
      '',
      ' ',
      'null',
      '[]',
      '[{}]',
      '"a"',
      '7',
      'A',
      '{',
      '{}}',
      '{"a":',
      '\0{}',
      '\u{feff}{}',
    ]) {
      expect(read(text), JSON.stringify(text)).toBeNull();
    }
  });

  test('is none when it nests deeper than any that a carrier sends', () => {
    expect(read(nested(16))).not.toBeNull();
    expect(read(nested(17))).toBeNull();
    expect(read(`{"a":${'['.repeat(15)}${']'.repeat(15)}}`)).not.toBeNull();
    expect(read(`{"a":${'['.repeat(16)}${']'.repeat(16)}}`)).toBeNull();
    // Many, one behind the other, are not deep.
    expect(read(`{"a":[${'{},'.repeat(1_000)}{}]}`)).not.toBeNull();
  });

  test('is none when it is longer than any that a carrier sends', () => {
    const ofBytes = (bytes: number): string => `{"a":"${'x'.repeat(bytes - 8)}"}`;
    expect(read(ofBytes(16_384))).not.toBeNull();
    expect(read(ofBytes(16_385))).toBeNull();
  });
});
