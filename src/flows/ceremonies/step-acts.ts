/** What each step kind does: the table under the same names as the one of src/domain/ceremony/step-kinds.ts. */
import type { StepKind } from '../../domain/ceremony/step-kinds.ts';
import type { StepAct } from './step-act.ts';
import { admitPeople } from './steps/admit-people.ts';
import { backupKeystore } from './steps/backup-keystore.ts';
import { checkKeystore } from './steps/check-keystore.ts';
import { closeKeystore } from './steps/close-keystore.ts';
import { createAuthority } from './steps/create-authority.ts';
import { createKeystoreStep } from './steps/create-keystore.ts';
import { createLogKey } from './steps/create-log-key.ts';
import { crossSign } from './steps/cross-sign.ts';
import { destroyRootKey } from './steps/destroy-root-key.ts';
import { establishInstance } from './steps/establish-instance.ts';
import { importLegacyIssuing, importLegacyRoot } from './steps/import-legacy.ts';
import { makeRootKey } from './steps/make-root-key.ts';
import { openKeystore } from './steps/open-keystore.ts';
import { reshareKeystoreStep } from './steps/reshare-keystore.ts';
import { restoreKeystore } from './steps/restore-keystore.ts';
import { restrictKey } from './steps/restrict-key.ts';
import { selfSign } from './steps/self-sign.ts';
import { selftest } from './steps/selftest.ts';
import { signCrl } from './steps/sign-crl.ts';
import { signManifest } from './steps/sign-manifest.ts';
import { signRequest } from './steps/sign-request.ts';

export const STEP_ACTS: Readonly<Record<StepKind, StepAct>> = {
  selftest,
  'create-keystore': createKeystoreStep,
  'open-keystore': openKeystore,
  'close-keystore': closeKeystore,
  'reshare-keystore': reshareKeystoreStep,
  'establish-instance': establishInstance,
  'create-authority': createAuthority,
  'admit-people': admitPeople,
  'create-log-key': createLogKey,
  'make-root-key': makeRootKey,
  'self-sign': selfSign,
  'sign-request': signRequest,
  'certify-signer': signRequest,
  'cross-sign': crossSign,
  'sign-crl': signCrl,
  'restrict-key': restrictKey,
  'import-legacy-root': importLegacyRoot,
  'import-legacy-issuing': importLegacyIssuing,
  'backup-keystore': backupKeystore,
  'restore-keystore': restoreKeystore,
  'check-keystore': checkKeystore,
  'destroy-root-key': destroyRootKey,
  'sign-manifest': signManifest,
};
