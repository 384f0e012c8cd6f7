/**
 * The approval request (enrolment-and-root-upgrade D.2): everything that would be done, in one body that never changes
 * once submitted. People sign its digest, and execution does what stands here and nothing else.
 */
import { KmcError } from '../../errors.ts';
import { actionRule, isActionName, type ActionName, type ActionRule } from '../action.ts';
import { isId } from '../id.ts';
import { REGION_CODE } from '../region.ts';
import {
  isObject,
  oneOf,
  plainText,
  readSignedTime,
  requireMembers,
  signedDigest,
  signedTimeText,
  sm3Text,
  textLike,
  type MemberCheck,
  type SignedObject,
} from '../signed-body.ts';

export const REQUEST_SCHEMA = 'kmc.approval-request/1';

export interface RequestAttachment {
  readonly name: string;
  /** `sm3:<hex>` of the attached document. */
  readonly sm3: string;
}

/** The body as it is signed. All values are text: counts, versions and serials are decimal strings. */
export interface ApprovalRequest {
  readonly schema: typeof REQUEST_SCHEMA;
  readonly id: string;
  readonly op: ActionName;
  /** `<target kind>/<id>` */
  readonly target: string;
  /** State and version of the target when the request was made; `absent` and `0` for what is yet to be made. */
  readonly preState: string;
  readonly targetVersion: string;
  readonly params: SignedObject;
  readonly attachments: readonly RequestAttachment[];
  /** `<class>@<version of the policy set>` */
  readonly policy: string;
  /** `sm3:<hex>` of the policy set in force. */
  readonly policyDigest: string;
  /** Person id, or `authority/<id>` or `system/<id>` where the service opened the request for one of these. */
  readonly proposer: string;
  readonly reason: string;
  readonly createdAt: string;
  readonly expiresAt: string;
  /** `<environment>/<instance id>`: no other instance takes an approval of this request. */
  readonly environment: string;
}

const MAX_ATTACHMENTS = 16;

const attachmentList: MemberCheck = (value) => {
  if (!Array.isArray(value) || value.length > MAX_ATTACHMENTS) return `must be a list of at most ${MAX_ATTACHMENTS}`;
  const good = value.every(
    (item: unknown) =>
      isObject(item) &&
      Object.keys(item).length === 2 &&
      plainText(200)(item['name']) === undefined &&
      sm3Text(item['sm3']) === undefined,
  );
  return good ? undefined : 'must hold objects with name and sm3';
};

const CHECKS: Readonly<Record<keyof ApprovalRequest, MemberCheck>> = {
  schema: oneOf([REQUEST_SCHEMA]),
  id: (value) => (typeof value === 'string' && isId(value) ? undefined : 'must be an identifier'),
  op: (value) => (typeof value === 'string' && isActionName(value) ? undefined : 'must be an act of the action table'),
  target: textLike(/^[a-z][a-z-]{0,31}\/[a-z0-9][a-z0-9-]{0,63}$/, 'a target kind, a slash and an identifier'),
  preState: textLike(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/, 'a state'),
  targetVersion: textLike(/^(?:0|[1-9][0-9]{0,18})$/, 'a decimal number'),
  params: (value) => (isObject(value) ? undefined : 'must be an object'),
  attachments: attachmentList,
  policy: textLike(/^[A-Za-z0-9]{1,16}@[A-Za-z0-9.-]{1,32}$/, 'a class, an at sign and a version'),
  policyDigest: sm3Text,
  proposer: textLike(
    /^(?:(?:authority|system)\/)?[a-z0-9][a-z0-9-]{0,63}$/,
    'a person id, or authority/ or system/ and an id',
  ),
  reason: plainText(2000),
  createdAt: signedTimeText,
  expiresAt: signedTimeText,
  environment: textLike(/^[a-z]{1,32}\/[a-z0-9][a-z0-9-]{0,63}$/, 'an environment, a slash and an instance id'),
};

/**
 * Checks a request body that came from outside or out of the database.
 * @throws KmcError E_SCHEMA with pointers; E_JSON when it is not of the signed profile.
 */
export function readApprovalRequest(value: unknown): ApprovalRequest {
  requireMembers<ApprovalRequest>(value, CHECKS, 'approval request');
  requireParameters(value);
  requestDigest(value);
  return value;
}

/** The rule of the act that the request asks for. */
export function ruleOf(request: ApprovalRequest): ActionRule {
  return actionRule(request.op);
}

/** The region that a regional request is about; undefined for the others. */
export function regionOf(request: ApprovalRequest): string | undefined {
  const region = request.params['region'];
  return ruleOf(request).regional && typeof region === 'string' ? region : undefined;
}

/** Id of the person who has no voice in the request, because it takes something from them. */
export function voicelessOf(request: ApprovalRequest): string | undefined {
  return ruleOf(request).subjectHasNoVoice === true ? request.target.split('/')[1] : undefined;
}

/**
 * `sm3:<hex>` of SM3("KMC-REQUEST-V1" 0x00 || JCS(request)).
 * @throws KmcError E_JSON when the body is not of the signed profile.
 */
export function requestDigest(request: ApprovalRequest): string {
  return signedDigest('request', request);
}

function requireParameters(request: ApprovalRequest): void {
  const rule = ruleOf(request);
  const faults: { pointer: string; detail: string }[] = [];
  if (!request.target.startsWith(`${rule.target}/`))
    faults.push({ pointer: '/target', detail: `must name a ${rule.target}` });
  const { region, count } = request.params;
  if (rule.regional && !(typeof region === 'string' && REGION_CODE.test(region))) {
    faults.push({ pointer: '/params/region', detail: 'must be the code of the region' });
  }
  if (rule.atMost !== undefined) {
    const stated = typeof count === 'string' && /^[1-9][0-9]{0,5}$/.test(count) ? Number(count) : undefined;
    if (stated === undefined || stated > rule.atMost) {
      faults.push({ pointer: '/params/count', detail: `must be a decimal number of 1 to ${rule.atMost}` });
    }
  }
  const from = readSignedTime(request.createdAt);
  const to = readSignedTime(request.expiresAt);
  if (from === undefined || to === undefined || from >= to) {
    faults.push({ pointer: '/expiresAt', detail: 'must be later than createdAt' });
  }
  const [first] = faults;
  if (first === undefined) return;
  throw new KmcError('E_SCHEMA', `The approval request does not fit its act: ${first.pointer} ${first.detail}.`, {
    pointers: faults,
  });
}
