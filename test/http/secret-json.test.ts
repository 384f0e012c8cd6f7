import { expect } from 'chai';
import fc from 'fast-check';
import { encodeSecretJson, type SecretJson } from '../../src/http/secret-json.ts';

/** The same with Node's own JSON and base64. */
function asNode(value: SecretJson): unknown {
  if (Buffer.isBuffer(value)) return value.toString('base64');
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (Array.isArray(value)) return value.map((item: SecretJson) => asNode(item));
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, asNode(member)]));
}

const { value: anyJson } = fc.letrec<{ value: SecretJson }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.string(),
    fc.boolean(),
    fc.uint8Array({ maxLength: 40 }).map((octets) => Buffer.from(octets)),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.string(), tie('value'), { maxKeys: 4 }),
  ),
}));

describe('JSON with secrets', () => {
  it('is what Node makes of the same values, with octets as base64', () => {
    fc.assert(
      fc.property(anyJson, (value) => {
        expect(encodeSecretJson(value).toString('utf8')).to.equal(JSON.stringify(asNode(value)));
      }),
      { numRuns: 300 },
    );
  });
});
