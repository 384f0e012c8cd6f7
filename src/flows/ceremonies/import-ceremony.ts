import { auditActor, type Caller } from '../../domain/caller.ts';
import { createDigests } from '../../crypto/digests.ts';
import { BUNDLE } from '../../domain/ceremony/bundle-files.ts';
import type { CeremonyPlan } from '../../domain/ceremony/plan.ts';
import { plannedSteps } from '../../domain/ceremony/planned-file.ts';
import { ceremonyTypeRule } from '../../domain/ceremony/ceremony-types.ts';
import { seatRoles } from '../../domain/ceremony/seats.ts';
import { isStepKind, stepKindRule } from '../../domain/ceremony/step-kinds.ts';
import type { VerifiedBundle } from '../../domain/ceremony/verify-bundle.ts';
import { newId } from '../../domain/id.ts';
import { accountInForce, rolesOf } from '../../domain/person.ts';
import { KmcError } from '../../errors.ts';
import { sm3Fingerprint } from '../../x509/certificate.ts';
import type { Instance } from '../instance.ts';
import type { CeremonyFolder } from '../ports/ceremony-folder.ts';
import type { Reader } from '../ports/database.ts';
import { STEP_IMPORTS, type BundleImport } from './step-imports.ts';
import { requireVerifiedCeremony, type VerifyCeremonyOptions } from './verify-ceremony.ts';

export type ImportCeremonyPorts = Pick<
  Instance,
  'database' | 'clock' | 'node' | 'id' | 'environment' | 'policyDigest'
> & {
  readonly folder: CeremonyFolder;
};

export interface ImportedCeremony {
  readonly ceremony: string;
  readonly type: string;
  /** `sm3:<hex>` of the bundle. */
  readonly digest: string;
  /** Ids of the authorities that the import put into service. */
  readonly authorities: readonly string[];
  /** Of a ceremony that wrote into the service while it ran: the steps that did, as the plan words them. */
  readonly doneWhenHeld: readonly string[];
}

/**
 * Takes a closed bundle into the service: verifies it first, checks that everybody in it held the role of the seat, and
 * puts what it made into service. What was cut short can be begun again.
 * @throws KmcError E_SIGNATURE (the bundle does not verify), E_POLICY (made under another policy), E_FORBIDDEN (a seat
 * without the role), E_LINT (of another instance), E_CONFLICT (imported already), E_CERT, E_NOT_FOUND.
 */
export async function importCeremony(
  ports: ImportCeremonyPorts,
  caller: Caller,
  options: Pick<VerifyCeremonyOptions, 'allowDeviations'> = {},
): Promise<ImportedCeremony> {
  const bundle = requireVerifiedCeremony(ports.folder, options);
  const { plan, closing, digest } = bundle;
  if (plan.instance !== ports.id || plan.environment !== ports.environment) {
    throw new KmcError('E_LINT', 'The bundle was made for another instance.');
  }
  if (plan.policyDigest !== ports.policyDigest) {
    throw new KmcError('E_POLICY', 'The bundle was made under a policy that is not in force here.');
  }
  await ports.database.read(async (reader) => {
    await requireNew(reader, plan.ceremony);
    if (ceremonyTypeRule(plan.type)?.first !== true) await requireRoles(reader, bundle);
  });
  const at = ports.clock.now();
  const importing: BundleImport = { ports, caller, ceremony: plan.ceremony, files: ports.folder.files(), at };
  const authorities: string[] = [];
  for (const step of plannedSteps(plan)) {
    const work = isStepKind(step.do) ? STEP_IMPORTS[step.do] : undefined;
    authorities.push(...((await work?.(importing, step)) ?? []));
  }
  const event = newId('ev', at);
  await ports.database.transaction(async (tx) => {
    await requireNew(tx, plan.ceremony);
    await tx.audit.append(
      {
        id: event,
        action: 'ceremony.import',
        outcome: 'success',
        subjects: [{ type: 'ceremony', id: plan.ceremony }],
        actor: auditActor(caller),
        source: { node: ports.node },
        detail: {
          bundle: digest,
          plan: closing.plan,
          transcript: closing.transcript,
          code: plan.tool.bundleSm3,
          file: createDigests(importing.files.get(BUNDLE.file) ?? Buffer.alloc(0)).sm3,
          kind: plan.type,
          steps: plan.steps.length,
          holders: bundle.seats.length,
        },
      },
      at,
    );
  });
  return { ceremony: plan.ceremony, type: plan.type, digest, authorities, doneWhenHeld: doneWhenHeld(plan) };
}

function doneWhenHeld({ type, steps }: CeremonyPlan): string[] {
  if (ceremonyTypeRule(type)?.service !== true) return [];
  return steps.filter((step) => typeof stepKindRule(step.do)?.needs === 'string').map((step) => step.text);
}

async function requireNew(reader: Reader, ceremony: string): Promise<void> {
  const history = await reader.audit.history('ceremony', ceremony, 0, 1);
  if (history.length > 0) throw new KmcError('E_CONFLICT', 'This ceremony was imported already.');
}

/** Everybody who signed the close held a role of the seat, with a certificate in force then. */
async function requireRoles(reader: Reader, { plan, seats, closing }: VerifiedBundle): Promise<void> {
  for (const { seat, certificate } of seats) {
    const fingerprint = sm3Fingerprint(certificate.der);
    const person = await reader.people.findByCertificate(fingerprint);
    const account = person && accountInForce(person, fingerprint, new Date(closing.closedAt));
    const held = person === undefined ? [] : [...rolesOf(person)];
    const fitting = seatRoles(plan.type, seat);
    if (account !== undefined && person?.status === 'active' && held.some((role) => fitting.includes(role))) {
      continue;
    }
    throw new KmcError('E_FORBIDDEN', `The ${seat} of the ceremony is no ${fitting.join(' or ')} here.`);
  }
}
