import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import {
  assert as assertProperty,
  boolean,
  constantFrom,
  nat,
  oneof,
  option,
  property,
  string,
  tuple,
} from 'fast-check';
import { SIGNATURE_ALGORITHMS, verifySignature } from '../../src/crypto/algorithms.ts';
import { sm3 } from '../../src/crypto/gm/sm3.ts';
import {
  contentDigest,
  parseSignature,
  signatureBase,
  verifySignedRequest,
  type ReceivedSignature,
  type SignedRequestParts,
} from '../../src/domain/http-signature.ts';
import { KmcError, type ErrorCode } from '../../src/errors.ts';
import { refusalOf } from './refusal.ts';

interface Negative {
  readonly id: string;
  readonly what: string;
  readonly signatureBase64?: string;
  readonly body?: string;
  readonly signatureBase?: string;
}

interface Vector {
  readonly key: { readonly spkiDerHex: string };
  readonly request: {
    readonly method: string;
    readonly authority: string;
    readonly path: string;
    readonly query: string;
    readonly contentType: string;
    readonly body: string;
    readonly contentDigest: string;
    readonly signatureInput: string;
    readonly signature: string;
  };
  readonly signatureBase: string;
  readonly sm3OfBaseHex: string;
  readonly clock: { readonly acceptAt: readonly number[]; readonly refuseAt: readonly number[] };
  readonly negative: readonly Negative[];
}

const vector = JSON.parse(
  readFileSync(new URL('../vectors/gateway-signature-vector.json', import.meta.url), 'utf8'),
) as Vector;
const { request } = vector;
const SPKI = Buffer.from(vector.key.spkiDerHex, 'hex');
const CREATED = 1_790_000_000;
const BODY = Buffer.from(request.body, 'utf8');

const PARTS: SignedRequestParts = {
  method: request.method,
  authority: request.authority,
  path: request.path,
  query: request.query,
  content: { type: request.contentType, body: BODY },
};
const FIELDS = {
  signatureInput: request.signatureInput,
  signature: request.signature,
  contentDigest: request.contentDigest,
  hasContent: true,
};

function at(seconds: number): Date {
  return new Date(seconds * 1000);
}

function codeOf(
  change: { readonly fields?: Partial<typeof FIELDS>; readonly parts?: Partial<SignedRequestParts> },
  seconds = CREATED,
): ErrorCode | undefined {
  return refusalOf(() => {
    const received = parseSignature({ ...FIELDS, ...change.fields });
    return verifySignedRequest(received, { ...PARTS, ...change.parts }, SPKI, at(seconds));
  })?.code;
}

/** What a base says of the request it was made for. */
function changeOf(base: string): Parameters<typeof codeOf>[0] {
  const member = (name: string): string => new RegExp(`^"${name}": (.*)$`, 'm').exec(base)?.[1] ?? '';
  const digest = member('content-digest');
  const body = digest === request.contentDigest ? BODY : Buffer.from('{"bundleVersion":43,"state":"INSTALLED"}');
  return {
    fields: { contentDigest: digest },
    parts: {
      method: member('@method'),
      authority: member('@authority'),
      path: member('@path'),
      query: member('@query'),
      content: { type: member('content-type'), body },
    },
  };
}

describe('HTTP signatures (gateway-signature-vector.json)', () => {
  it('builds the base of the vector, octet by octet', () => {
    const base = signatureBase(PARTS, parseSignature(FIELDS).parameters, request.contentDigest);
    expect(base.toString('utf8')).to.equal(vector.signatureBase);
    expect(sm3(base).toString('hex')).to.equal(vector.sm3OfBaseHex);
    expect(contentDigest(BODY, 'sm3')).to.equal(request.contentDigest);
  });

  it('accepts the request and returns its base as evidence', () => {
    const base = verifySignedRequest(parseSignature(FIELDS), PARTS, SPKI, at(CREATED));
    expect(base.toString('utf8')).to.equal(vector.signatureBase);
  });

  for (const seconds of vector.clock.acceptAt) {
    it(`accepts it ${seconds - CREATED} seconds after it was signed`, () => {
      expect(codeOf({}, seconds)).to.equal(undefined);
    });
  }
  for (const seconds of vector.clock.refuseAt) {
    it(`refuses it ${seconds - CREATED} seconds after it was signed`, () => {
      expect(codeOf({}, seconds)).to.equal('E_TIME');
    });
  }

  it('ships 19 negative cases', () => {
    expect(vector.negative).to.have.length(19);
  });

  for (const negative of vector.negative) {
    it(`refuses ${negative.id}: ${negative.what}`, () => {
      if (negative.signatureBase64 !== undefined) {
        expect(codeOf({ fields: { signature: `gw=:${negative.signatureBase64}:` } })).to.equal('E_UNAUTHENTICATED');
      }
      if (negative.body !== undefined) {
        const content = { type: request.contentType, body: Buffer.from(negative.body, 'utf8') };
        expect(codeOf({ parts: { content } })).to.equal('E_UNAUTHENTICATED');
      }
      if (negative.signatureBase !== undefined) {
        const raw = Buffer.from(request.signature.slice(4, -1), 'base64');
        const signature = SIGNATURE_ALGORITHMS['SM2-SM3'].fromRaw(raw);
        expect(verifySignature('SM2-SM3', SPKI, Buffer.from(negative.signatureBase, 'utf8'), signature)).to.equal(
          false,
        );
        const change = changeOf(negative.signatureBase);
        // Where the request is the same one, only its base was joined otherwise: that signature is over other octets.
        const sameRequest = ['components-reordered', 'trailing-lf', 'crlf'].includes(negative.id);
        if (!sameRequest) expect(codeOf(change)).to.equal('E_UNAUTHENTICATED');
      }
    });
  }
});

describe('HTTP signatures: the profile', () => {
  const input = request.signatureInput;
  const changes: readonly (readonly [string, Partial<typeof FIELDS>])[] = [
    [
      'components in another order',
      { signatureInput: input.replace('"@method" "@authority"', '"@authority" "@method"') },
    ],
    ['an extra component', { signatureInput: input.replace('"@query"', '"@query" "date"') }],
    ['a component left out', { signatureInput: input.replace(' "@query"', '') }],
    ['the alg parameter', { signatureInput: input.replace(';nonce', ';alg="sm2";nonce') }],
    ['parameters in another order', { signatureInput: input.replace(/(;created=\d+)(;expires=\d+)/, '$2$1') }],
    ['another tag', { signatureInput: input.replace('kmc-gw-v1', 'kmc-gw-v2') }],
    ['a second label', { signatureInput: `${input}, ${input.replace('gw=', 'gw2=')}` }],
    ['the same label twice', { signature: `${request.signature}, ${request.signature}` }],
    ['another label', { signatureInput: input.replace('gw=', 'sig=') }],
    ['a nonce of 15 octets', { signatureInput: input.replace('c2VydmVyLW5vbmNlLTAwMDE', 'c2VydmVyLW5vbmNlLTAw') }],
    ['a life longer than 120 seconds', { signatureInput: input.replace('1790000120', '1790000121') }],
    ['an end before the begin', { signatureInput: input.replace('1790000120', '1789999999') }],
    ['base64 that is not canonical', { signature: request.signature.replace('bA==:', 'bB==:') }],
    ['a second digest', { contentDigest: `${request.contentDigest}, ${contentDigest(BODY, 'sha-256')}` }],
    ['a sha-256 digest with an SM2 key', { contentDigest: contentDigest(BODY, 'sha-256') }],
    ['no digest with a body', { contentDigest: undefined as unknown as string }],
  ];
  for (const [what, fields] of changes) {
    it(`refuses ${what}`, () => {
      expect(codeOf({ fields })).to.be.oneOf(['E_UNAUTHENTICATED', 'E_TIME']);
    });
  }

  it('parses any text to a signature or refuses it with E_UNAUTHENTICATED, in no time', () => {
    const texts = oneof(
      string(),
      constantFrom(input, request.signature, request.contentDigest),
      tuple(constantFrom(input, request.signature), nat(300), string({ maxLength: 3 })).map(
        ([text, position, put]) => `${text.slice(0, position)}${put}${text.slice(position + 1)}`,
      ),
    );
    assertProperty(
      property(texts, texts, option(texts, { nil: undefined }), boolean(), (...given) => {
        const [signatureInput, signature, digest, hasContent] = given;
        let received: ReceivedSignature;
        try {
          received = parseSignature({ signatureInput, signature, contentDigest: digest, hasContent });
        } catch (error) {
          expect(error).to.be.instanceOf(KmcError);
          expect((error as KmcError).code).to.equal('E_UNAUTHENTICATED');
          return;
        }
        expect(received.parameters.nonce.length).to.be.greaterThan(21);
      }),
    );
  });

  it('refuses fields of 100 KB within 50 ms', () => {
    for (const filler of ['"a" ', 'A', '(', ';created=1', '\\']) {
      const long = filler.repeat(100_000 / filler.length);
      const start = performance.now();
      expect(codeOf({ fields: { signatureInput: `gw=("${long}`, signature: `gw=:${long}` } })).to.equal(
        'E_UNAUTHENTICATED',
      );
      expect(performance.now() - start).to.be.lessThan(50);
    }
  });
});
