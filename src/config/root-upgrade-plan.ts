/** The plan of a root upgrade as people write it: strict YAML, gate numbers in plain per cent, days and hours. */
import { z } from 'zod';
import { KmcError } from '../errors.ts';
import { GATE_NAMES } from '../domain/root-upgrade/gates.ts';
import { PLAN_SCHEMA, readPlan, type UpgradePlan } from '../domain/root-upgrade/plan.ts';
import { UPGRADE_KINDS } from '../domain/root-upgrade/states.ts';
import { isSignedObject, type SignedObject } from '../domain/signed-body.ts';
import { readStrictYaml } from './strict-yaml.ts';

const id = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'an identifier');
const generation = z.string().regex(/^G[1-9][0-9]{0,2}$/, 'a generation such as G2');
const old = { generation, root: id, issuing: id };
const gates = Object.fromEntries(GATE_NAMES.map((name) => [name, z.number().min(0).max(99_999).optional()]));

const PLAN = z.strictObject({
  schema: z.literal(PLAN_SCHEMA),
  id,
  kind: z.enum(UPGRADE_KINDS),
  bundle: id,
  from: z.strictObject(old),
  to: z.strictObject({ ...old, algorithm: z.literal('SM2') }),
  standby: z.strictObject({ generation, root: id }).optional(),
  ends: z.string().regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/, 'a time like 2028-01-01T00:00:00Z'),
  signers: z
    .strictObject({
      set: id,
      threshold: z.int().min(2).max(9),
      'emergency-threshold': z.int().min(2).max(9),
      holders: z.array(id).min(2).max(32),
    })
    .optional(),
  waves: z
    .array(
      z.union([
        z.strictObject({ percent: z.int().min(1).max(99) }),
        z.strictObject({
          regions: z
            .array(z.string().regex(/^[0-9]{6}$/, 'the code of a region'))
            .min(1)
            .max(64),
        }),
        z.strictObject({ all: z.literal(true) }),
      ]),
    )
    .min(1)
    .max(16),
  gates: z.strictObject(gates).default({}),
  'independent-verifiers': z.int().min(0).max(99).default(0),
  'capability-report': z.string().regex(/^sm3:[0-9a-f]{64}$/, 'sm3: and 64 lower-case hex digits'),
  supersedes: id.optional(),
});
type WrittenPlan = z.output<typeof PLAN>;

/** The plan in the form that is signed and stored: every number as text, names in camel case. */
function bodyOf(written: WrittenPlan): SignedObject {
  const { standby, signers, supersedes, 'independent-verifiers': verifiers, 'capability-report': report } = written;
  const body: unknown = {
    schema: written.schema,
    id: written.id,
    kind: written.kind,
    bundle: written.bundle,
    from: written.from,
    to: written.to,
    ...(standby === undefined ? {} : { standby }),
    ends: written.ends,
    ...(signers === undefined
      ? {}
      : {
          signers: {
            set: signers.set,
            threshold: String(signers.threshold),
            emergencyThreshold: String(signers['emergency-threshold']),
            holders: signers.holders,
          },
        }),
    waves: written.waves.map((wave) => ('percent' in wave ? { percent: String(wave.percent) } : wave)),
    gates: Object.fromEntries(
      Object.entries(written.gates).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
    ),
    independentVerifiers: String(verifiers),
    capabilityReport: report,
    ...(supersedes === undefined ? {} : { supersedes }),
  };
  if (isSignedObject(body)) return body;
  throw new KmcError('E_SCHEMA', 'The plan holds something else than text, lists and objects.');
}

/**
 * Reads a plan file (YAML, at most 64 KiB).
 * @returns the body that is signed, and what it means.
 * @throws KmcError E_SCHEMA naming line and fault.
 */
export function readPlanFile(bytes: Uint8Array): { readonly body: SignedObject; readonly plan: UpgradePlan } {
  const { document, faults } = readStrictYaml(bytes);
  const [fault] = faults ?? [];
  if (document === undefined) {
    throw new KmcError('E_SCHEMA', `Line ${fault?.line ?? 1} of the plan: ${fault?.message ?? 'it is no YAML'}.`);
  }
  const parsed = PLAN.safeParse(document.value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new KmcError('E_SCHEMA', `Line ${document.lineOf(issue?.path ?? [])} of the plan: ${issue?.message ?? ''}.`);
  }
  const body = bodyOf(parsed.data);
  return { body, plan: readPlan(body) };
}
