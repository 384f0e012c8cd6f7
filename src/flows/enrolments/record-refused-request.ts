import { sm3 } from '../../crypto/gm/sm3.ts';
import { newId } from '../../domain/id.ts';
import type { ErrorCode } from '../../errors.ts';
import { deviceDetail } from '../devices/device-row.ts';
import type { Database } from '../ports/database.ts';
import type { EnrolmentScene } from './enrolment-scene.ts';

/** Who asked, with which request; under a token when it was a first enrolment. */
type RefusedScene = Omit<EnrolmentScene, 'token'> & { readonly token?: EnrolmentScene['token'] };

/** Records that a device which proved who it is asked for what it may not have. */
export async function recordRefusedRequest(database: Database, scene: RefusedScene, code: ErrorCode): Promise<void> {
  const { device, token, request, at, source } = scene;
  const id = newId('ev', at);
  await database.transaction(async (tx) => {
    await tx.audit.append(
      {
        id,
        action: 'enrolment.request',
        outcome: 'denied',
        code,
        subjects: [{ type: 'device', id: device.id }],
        actor: { type: 'device', id: device.id },
        source,
        detail: {
          csr: `sm3:${sm3(request.der).toString('hex')}`,
          ...deviceDetail(device),
          signKid: scene.spkiSm3,
          ...(token === undefined ? {} : { token: token.id }),
        },
      },
      at,
    );
  });
}
