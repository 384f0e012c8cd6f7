import { expect } from 'chai';
import fc from 'fast-check';
import type { KmcClient } from '../../src/agent/signed-client.ts';
import { everyItem } from '../../src/cli/answer-table.ts';
import { shownText, shownValue } from '../../src/cli/shown-value.ts';
import { sm3Fingerprint } from '../../src/x509/certificate.ts';
import { theEstate } from '../fixtures/estate.ts';

describe('a signed value, as a person reads it', () => {
  it('shows each text by its path, and a certificate by its subject and fingerprint', async () => {
    const { der } = (await theEstate()).people.caOwner.certificate;
    const value = { roles: [{ role: 'ca-owner' }], certificate: der.toString('base64'), none: [], yes: true };
    const lines = new Map(shownValue('params', value));
    expect([...lines.keys()]).to.deep.equal([
      'params.roles[0].role',
      'params.certificate',
      'params.none',
      'params.yes',
    ]);
    expect(lines.get('params.certificate')).to.contain('p-ca-owner').and.to.contain(sm3Fingerprint(der));
    expect(lines.get('params.none')).to.equal('none');
  });

  it('holds nothing that moves the cursor, hides text or turns it around', () => {
    expect(shownText('pay \u202e100\u001b[2J')).to.equal('pay \\u{202e}100\\u{1b}[2J');
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (name, text) => {
        for (const [path, shown] of shownValue('params', { [name]: text })) {
          expect(`${path} ${shown}`).not.to.match(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/u);
        }
      }),
    );
  });
});

describe('a list of the service', () => {
  const pages = (...answers: readonly object[]) => {
    const asked: string[] = [];
    const client: KmcClient = {
      send: () => Promise.reject(new Error('not used')),
      json: (_method, target) => Promise.resolve(answers[asked.push(target) - 1]),
    };
    return { client, asked };
  };

  it('is read to its end, over pages that are empty too', async () => {
    const { client, asked } = pages({ items: [], next: 'a' }, { items: ['x'], next: 'b' }, { items: ['y'] });
    expect(await everyItem(client, '/list', { for: 'me' })).to.deep.equal({ items: ['x', 'y'] });
    expect(asked).to.deep.equal(['/list?for=me', '/list?for=me&cursor=a', '/list?for=me&cursor=b']);
  });
});
