import { expect } from 'chai';
import {
  alternativeNamesText,
  BATCH_LIMIT,
  deviceSubject,
  readAlternativeNames,
  readDeviceBatch,
  readDeviceRegistration,
} from '../../src/domain/device.ts';
import { KmcError } from '../../src/errors.ts';
import { formatName } from '../../src/x509/name.ts';
import { registrationOf } from '../fixtures/enrolling.ts';

const REGION = { code: '110000', kind: 'province', name: { en: 'Beijing', zh: '北京市' } } as const;

function pointersOf(work: () => unknown): string[] {
  try {
    work();
    return [];
  } catch (error) {
    if (!(error instanceof KmcError) || error.code !== 'E_SCHEMA') throw error;
    return error.pointers.length === 0 ? ['/'] : error.pointers.map(({ pointer }) => pointer);
  }
}

describe('the registration of a device', () => {
  it('takes a complete one and names the faults of any other', () => {
    const good = registrationOf('gw-1');
    expect(readDeviceRegistration(good)).to.deep.equal(good);
    const bad: [keyof typeof good, unknown][] = [
      ['id', 'GW 1'],
      ['kind', 'toaster'],
      ['vendor', ''],
      ['serial', 'SN\n1'],
      ['serial', 'x'.repeat(65)],
      ['unit', 'a\u202eb'],
      ['dnsNames', []],
      ['dnsNames', ['*.example.cn']],
      ['dnsNames', ['Upper.example.cn']],
      ['ipAddresses', ['10.0.0.1/8']],
    ];
    for (const [member, value] of bad) {
      expect(
        pointersOf(() => readDeviceRegistration({ ...good, [member]: value })),
        member,
      ).to.deep.equal([`/${member}`]);
    }
    expect(pointersOf(() => readDeviceRegistration({ ...good, more: 'x' }))).to.deep.equal(['/more']);
    expect(pointersOf(() => alternativeNamesText({ ...good, ipAddresses: ['300.1.1.1'] }))).to.deep.equal(['/']);
  });

  it('gives the subject of its certificates', () => {
    expect(formatName(deviceSubject(registrationOf('gw-1'), REGION))).to.equal(
      'serialNumber=SN-gw-1,CN=gw gw-1,OU=市局,O=政务外网,ST=Beijing,C=CN',
    );
    expect(pointersOf(() => deviceSubject(registrationOf('gw-1', { commonName: 'a\u0430' }), REGION))).to.deep.equal([
      '/',
    ]);
  });

  it('keeps its alternative names', () => {
    const names = readAlternativeNames(alternativeNamesText(registrationOf('gw-1', { ipAddresses: ['2001:db8::1'] })));
    expect(names).to.deep.equal([
      { type: 'dNSName', value: 'gw-1.gw.example.cn' },
      { type: 'iPAddress', value: '2001:db8::1' },
    ]);
  });

  it('a batch names every device once', () => {
    const batch = [registrationOf('gw-1'), registrationOf('gw-2')];
    expect(readDeviceBatch(batch)).to.deep.equal(batch);
    const wrong: unknown[] = [
      undefined,
      [],
      ['gw-1'],
      [...batch, registrationOf('gw-1', { serial: 'SN-3' })],
      [...batch, registrationOf('gw-3', { serial: 'SN-gw-1' })],
      Array.from({ length: BATCH_LIMIT + 1 }, (_, at) => registrationOf(`gw-${at}`)),
    ];
    for (const value of wrong) expect(pointersOf(() => readDeviceBatch(value))).to.deep.equal(['/']);
  });
});
