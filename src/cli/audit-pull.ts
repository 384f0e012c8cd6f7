/** `kmc audit pull`: copies the log of a service over HTTP into a folder, and verifies the copy at once. */
import { parseStrictJson } from '../crypto/jcs.ts';
import { inOrder, leaf, object, text } from '../domain/audit/shape.ts';
import { isWholeNumber } from '../domain/audit/detail.ts';
import { errorOfAnswer, type KmcClient } from '../agent/signed-client.ts';
import { KmcError } from '../errors.ts';
import { exportAudit } from '../flows/audit/pulls/export-audit.ts';
import type { AuditSource, StoredCheckpoint } from '../flows/ports/audit.ts';
import { createAuditFolder, makeFolderWhole } from './audit-folder.ts';
import { runAuditVerify, type AuditVerifyOptions, type AuditVerifyResult } from './audit-verify.ts';

const BASE = '/api/v1/audit';
const NOTE = object({
  note: { check: text(/^.+$/s) },
  size: { check: leaf(isWholeNumber) },
  time: { check: leaf(isWholeNumber) },
});

/** The log of a service over HTTP: checkpoint, checkpoints?after=, tile/…, certificate and policy under /api/v1/audit. */
function httpAuditSource(client: KmcClient, cosigned?: string): AuditSource {
  const get = async (path: string): Promise<Buffer> => {
    const answer = await client.send('GET', `${BASE}/${path}`);
    if (answer.status !== 200) throw errorOfAnswer(answer);
    return answer.body;
  };
  return {
    async checkpoint() {
      try {
        return (await get(cosigned === undefined ? 'checkpoint' : `checkpoint?cosigned=${cosigned}`)).toString('utf8');
      } catch (error) {
        if (error instanceof KmcError && error.code === 'E_NOT_FOUND') return undefined;
        throw error;
      }
    },
    async checkpointsAfter(time) {
      const lines = (await get(`checkpoints?after=${time}`)).toString('utf8').split('\n');
      return lines.filter((line) => line !== '').map(noteOfLine);
    },
    tile: (path) => get(`tile/${path}`),
    certificate: async () => (await get('certificate')).toString('utf8'),
    policy: async () => (await get('policy')).toString('utf8'),
  };
}

/**
 * Copies the log into a folder that is not there yet, and verifies the copy as runAuditVerify does. A pull that is refused
 * half-way leaves no folder.
 * @throws KmcError E_EXISTS, E_STORAGE, E_NOT_FOUND when nothing was signed yet, and what the service answers.
 */
export async function runAuditPull(
  client: KmcClient,
  options: AuditVerifyOptions,
  progress?: (done: number, total: number) => void,
): Promise<AuditVerifyResult> {
  const source = httpAuditSource(client, options.cosigned);
  await makeFolderWhole(options.directory, async (unfinished) => {
    await exportAudit({ source, folder: createAuditFolder(unfinished) }, progress);
  });
  return await runAuditVerify(options);
}

function noteOfLine(line: string): StoredCheckpoint {
  const value: unknown = inOrder(parseStrictJson(line, { maxDepth: 1 }));
  if (isNote(value)) return value;
  throw new KmcError('E_SCHEMA', 'The service answered with something else than checkpoints.');
}

function isNote(value: unknown): value is StoredCheckpoint {
  return NOTE(value) === undefined;
}
