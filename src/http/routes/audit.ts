/** The auditor's pull: events, checkpoints, tiles and proofs (audit-log 3.11). Events for auditors; hashes for everybody. */
import { z } from 'zod';
import { parseCertificate } from '../../x509/certificate.ts';
import { spkiSm3 } from '../../crypto/spki.ts';
import { DEFAULT_CLOCK_SKEW, DEFAULT_MAX_DELAY, formatAuditPolicy } from '../../domain/audit/policy.ts';
import { KmcError } from '../../errors.ts';
import { auditTreeRoot } from '../../flows/audit/audit-tree-root.ts';
import { findAuditEntry } from '../../flows/audit/find-audit-entry.ts';
import { proveConsistency } from '../../flows/audit/prove-consistency.ts';
import { proveInclusion } from '../../flows/audit/prove-inclusion.ts';
import { pullAudit, type AuditPage } from '../../flows/audit/pull-audit.ts';
import { pullAuditTile } from '../../flows/audit/pull-audit-tile.ts';
