import { expect } from 'chai';
import { testInstance } from '../../fixtures/instance.ts';
import { CAST_NAMES } from '../../fixtures/estate.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { handSigner, liveService } from '../live-service.ts';

interface Page {
  readonly items: readonly { readonly id: string }[];
  readonly next?: string;
}

forEachDatabase('people over HTTP', (fixture) => {
  const test = testInstance(fixture);
  const live = liveService(test);

  it('come page by page, each once, with a link to the next page', async () => {
    const signer = handSigner(test().instance.engine, test().people.auditor);
    const ids: string[] = [];
    let target: string | undefined = '/api/v1/people?limit=6';
    while (target !== undefined) {
      const { json, headers } = await live().call(signer, 'GET', target);
      const { items, next } = json as unknown as Page;
      ids.push(...items.map(({ id }) => id));
      const link = /^<([^>]+)>; rel="next"$/.exec(String(headers['link']))?.[1];
      expect(link === undefined).to.equal(next === undefined);
      target = link;
    }
    expect(ids).to.deep.equal(
      Object.values(test().people)
        .map(({ id }) => id)
        .sort(),
    );
    expect(ids).to.have.length(CAST_NAMES.length);
  });

  it('are shown without what is nobody else’s business', async () => {
    const { id } = test().people.raOne;
    const person = await live().client(test().people.securityOne).json('GET', `/api/v1/people/${id}`);
    expect(person).to.have.all.keys('id', 'name', 'unit', 'organisation', 'region', 'status', 'roles', 'accounts');
    expect(person).to.deep.include({ id, status: 'active', roles: [{ role: 'ra-operator', region: '110000' }] });
  });

  it('answer 404 for an id that nobody has', async () => {
    const signer = handSigner(test().instance.engine, test().people.auditor);
    const { status, json } = await live().call(signer, 'GET', '/api/v1/people/p-nobody');
    expect([status, json['code']]).to.deep.equal([404, 'E_NOT_FOUND']);
  });
});
