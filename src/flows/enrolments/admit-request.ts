/** What comes before anything is made for a device: its request, its token and its names. */
import { readAlternativeNames } from '../../domain/device.ts';
import type { AuditSource } from '../../domain/audit/event.ts';
import { requireRegisteredNames } from '../../domain/enrolment.ts';
import { spkiSm3 } from '../../crypto/spki.ts';
import { KmcError } from '../../errors.ts';
import { parseCsr, verifyProofOfPossession, type CertificationRequest } from '../../x509/csr.ts';
import type { Instance } from '../instance.ts';
import { findScenes, requireTokenFor, type EnrolmentScene } from './enrolment-scene.ts';
import { isProven, tokenRefused } from './prove-token.ts';
import { recordRefusedRequest } from './record-refused-request.ts';

export type AdmissionPorts = Pick<Instance, 'id' | 'database' | 'clock' | 'engine' | 'keystore' | 'policies' | 'node'>;

export interface EnrolDeviceInput {
  readonly deviceId: string;
  /** PKCS#10, DER. */
  readonly csr: Buffer;
  /** HMAC-SM3(token, "KMC-ENROL-V1" 0x00 || csr), 32 octets. */
  readonly tokenMac: Buffer;
  readonly requestId?: string;
}

/** Reads a request and checks that its sender has the private key. @throws KmcError E_DER, E_SIZE, E_CSR, E_POINT, E_KEY, E_POP. */
export function readProvenRequest(csr: Buffer): CertificationRequest {
  const request = parseCsr(csr);
  verifyProofOfPossession(request);
  return request;
}

/** As `readProvenRequest`, for the signing key of a pair. @throws KmcError E_CSR for another kind of key than SM2. */
export function readPairRequest(csr: Buffer): CertificationRequest {
  const request = parseCsr(csr);
  if (request.keyAlgorithm !== 'SM2') {
    throw new KmcError('E_CSR', 'A dual enrolment is for an SM2 signing key. Make one and sign the request with it.');
  }
  verifyProofOfPossession(request);
  return request;
}

/** The scene whose token proves the request. @throws KmcError E_TOKEN when none does, E_SEALED. */
async function provenScene(
  ports: AdmissionPorts,
  scenes: readonly EnrolmentScene[],
  { csr, tokenMac }: EnrolDeviceInput,
): Promise<EnrolmentScene> {
  for (const scene of scenes) {
    if (await isProven(ports, { ...scene, csr, tokenMac })) return scene;
  }
  throw tokenRefused();
}

/** What the request asks for must be what was registered; otherwise the refusal is recorded. */
async function requireRegistered(ports: AdmissionPorts, scene: EnrolmentScene): Promise<void> {
  const { subject, alternativeNames } = scene.device;
  try {
    requireRegisteredNames(scene.request, { subject, alternativeNames: readAlternativeNames(alternativeNames) });
  } catch (error) {
    if (error instanceof KmcError) await recordRefusedRequest(ports.database, scene, error.code);
    throw error;
  }
}

/**
 * Lets a request in: proof of the token, which fits this device and key, and the registered names.
 * @throws KmcError E_TOKEN (one text for every reason); E_POLICY (other names than registered); E_SEALED.
 */
export async function admitRequest(
  ports: AdmissionPorts,
  request: CertificationRequest,
  input: EnrolDeviceInput,
): Promise<EnrolmentScene> {
  const at = ports.clock.now();
  const source: AuditSource = {
    node: ports.node,
    ...(input.requestId === undefined ? {} : { request: input.requestId }),
  };
  const asked = { request, spkiSm3: spkiSm3(request.spki), at, source };
  const scenes = await ports.database.read((reader) => findScenes(reader, input.deviceId, asked));
  const scene = await provenScene(ports, scenes, input);
  requireTokenFor(scene);
  await requireRegistered(ports, scene);
  return scene;
}
