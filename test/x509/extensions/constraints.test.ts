import { basicConstraints } from '../../../src/x509/extensions/constraints.ts';
import { refusal } from '../../crypto/refusal.ts';
import { describeCodec } from './codec-cases.ts';

describeCodec(
  'basicConstraints',
  basicConstraints,
  [
    ['an end entity', { ca: false }, '3000'],
    ['a CA', { ca: true }, '30030101ff'],
    ['a CA without CAs below', { ca: true, pathLength: 0 }, '30060101ff020100'],
    ['a CA with a long path', { ca: true, pathLength: 300 }, '30070101ff0202012c'],
  ],
  [
    ['cA FALSE written out', '3003010100'],
    ['a path length without cA', '3003020100'],
    ['a negative path length', '30060101ff0201ff'],
    ['a third field', '30090101ff020100020100'],
    ['a SET', '31030101ff'],
  ],
);

describe('basicConstraints to be written', () => {
  it('has no path length without cA and no negative one', async () => {
    await refusal('E_CERT', () => basicConstraints.encode({ ca: false, pathLength: 0 }));
    await refusal('E_CERT', () => basicConstraints.encode({ ca: true, pathLength: -1 }));
  });
});
