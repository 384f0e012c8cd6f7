import { newId } from '../../domain/id.ts';
import { managedKeyKind, requireProcessing } from '../../domain/managed-key.ts';
import { isBase64, requireMembers, type MemberCheck, type SignedObject } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate, sm3Fingerprint, type Certificate } from '../../x509/certificate.ts';
import { ABSENT, type ApplyAct, type ApprovedAct, type DatabaseHandler } from '../approvals/action-handler.ts';
import type { Instance } from '../instance.ts';
import { keyIdOf } from '../keys/key-target.ts';
import { currentVersion, lifeTargetState } from '../keys/life-target.ts';
import type { Reader } from '../ports/database.ts';
import type { ManagedKey } from '../ports/managed-keys.ts';
import { destroyMaterial, openMaterial, type KeyMaterial, type MaterialPorts } from './key-material.ts';

type ExportPorts = MaterialPorts & Pick<Instance, 'database'>;

interface ExportParameters {
  /** base64 of DER. */
  readonly recipientCertificate: string;
}

const certificateText: MemberCheck = (value) =>
  typeof value === 'string' && value.length <= 24_000 && isBase64(value) ? undefined : 'must be base64 of DER';

/** The SM2 encryption certificate that the key goes to. @throws KmcError E_SCHEMA, E_DER, E_CERT. */
function recipientOf(params: SignedObject, at: Date): Certificate {
  requireMembers<ExportParameters>(params, { recipientCertificate: certificateText }, 'export of a key');
  const certificate = parseCertificate(Buffer.from(params.recipientCertificate, 'base64'));
  const isFit = certificate.keyAlgorithm === 'SM2' && certificate.keyUsage?.includes('keyEncipherment') === true;
  if (!isFit) throw new KmcError('E_CERT', 'Keys leave to an SM2 certificate for key encipherment.');
  if (at >= certificate.notBefore && at <= certificate.notAfter) return certificate;
  throw new KmcError('E_CERT', 'The certificate of the recipient is not in force.');
}

/** @throws KmcError E_NOT_FOUND; E_POLICY for a key that never leaves; E_STATE, E_PERIOD. */
async function exportableKey(ports: ExportPorts, reader: Reader, id: string): Promise<ManagedKey> {
  const key = await reader.managedKeys.find(id);
  if (key === undefined) throw new KmcError('E_NOT_FOUND', 'There is no managed key of that id.');
  if (!key.exportable || !managedKeyKind(key.kind).mayLeave) {
    throw new KmcError('E_POLICY', 'The key was made as one that never leaves the KMC.');
  }
  const current = currentVersion(key);
  requireProcessing(key.kind, current, current, ports.policies.cryptoPeriods, ports.clock.now());
  return key;
}

/** SM2Cipher of a symmetric key, SM2EnvelopedKey of a pair; DER. */
async function envelopeTo({ engine }: ExportPorts, material: KeyMaterial, spki: Buffer): Promise<Buffer> {
  return material.kind === 'key'
    ? await engine.envelopeKey(material, spki)
    : await engine.encryptSecretTo(material, spki);
}

async function prepare(ports: ExportPorts, act: ApprovedAct): Promise<ApplyAct> {
  const recipient = recipientOf(act.request.params, act.at);
  const key = await ports.database.read((reader) => exportableKey(ports, reader, keyIdOf(act)));
  const version = currentVersion(key);
  const material = await openMaterial(ports, key.kind, version);
  let envelope: Buffer;
  try {
    envelope = await envelopeTo(ports, material, recipient.spki);
  } finally {
    destroyMaterial(ports.engine, material);
  }
  const event = newId('ev', act.at);
  const recipientSm3 = sm3Fingerprint(recipient.der);
  return async (tx) => {
    const present = currentVersion(await exportableKey(ports, tx, key.id));
    if (present.id !== version.id || present.version !== version.version) {
      throw new KmcError('E_STALE', 'The key changed at the same time. Make a new request.');
    }
    await tx.audit.append(
      {
        id: event,
        action: 'key.export',
        outcome: 'success',
        subjects: [{ type: 'key', id: version.id }],
        terms: [{ type: 'managed-key', id: key.id }],
        actor: act.actor,
        source: act.source,
        approvals: act.approvals,
        detail: { kid: version.kid, purpose: key.kind, recipient: recipientSm3, request: act.request.id },
      },
      act.at,
    );
    return { key: key.id, version: String(version.number), kind: key.kind, envelope: envelope.toString('base64') };
  };
}

/**
 * The act `key.export`: the current version of a managed key that was made as exportable, wrapped to a certificate for key
 * encipherment; signing keys never. Target `key/<id>`; parameter `recipientCertificate` (base64 of DER).
 */
export function exportManagedKey(ports: ExportPorts): DatabaseHandler {
  return {
    kind: 'database',
    target: async (reader, targetId) => (await lifeTargetState(reader, targetId)) ?? ABSENT,
    async check(reader, targetId, params) {
      recipientOf(params, ports.clock.now());
      await exportableKey(ports, reader, targetId);
    },
    prepare: (act) => prepare(ports, act),
  };
}
