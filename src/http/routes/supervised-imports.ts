/** The import of what supervised certification authorities publish: handed in by people, or fetched now. */
import { z } from 'zod';
import { fetchSupervisedAuthority } from '../../flows/supervised-authorities/fetch-supervised-authority.ts';
import {
  importSupervisedCertificates,
  type ImportedCertificates,
} from '../../flows/supervised-authorities/import-supervised-certificates.ts';
import { importSupervisedCrl, type ImportedCrl } from '../../flows/supervised-authorities/import-supervised-crl.ts';
import { parseCertsOnly } from '../../x509/pkcs7.ts';
import { MAX_BODY_BYTES } from '../request-body.ts';
import { route, type Route } from '../route.ts';
import { ID } from '../schemas.ts';
import type { ServedInstance } from '../served-instance.ts';

const PATH = '/api/v1/supervision/authorities';
const TAG = 'supervision';
const PARAMS = z.strictObject({ id: ID });
const NUMBER = z.int().min(0);
/** What every import has in common. */
const IMPORT = {
  method: 'post',
  tag: TAG,
  access: { persons: ['ca-operator'] },
  idempotent: true,
  params: PARAMS,
} as const;

const IMPORTED = z.object({
  imported: NUMBER,
  known: NUMBER,
  refused: z.array(z.object({ index: NUMBER, code: z.string(), rule: z.string().optional() })),
});
const IMPORTED_CRL = z.object({ number: z.string(), entries: NUMBER, revoked: NUMBER, released: NUMBER });

function renderedImport({ imported, known, refused }: ImportedCertificates): z.infer<typeof IMPORTED> {
  return {
    imported,
    known,
    refused: refused.map(({ index, code, rule }) => ({ index, code, ...(rule === undefined ? {} : { rule }) })),
  };
}

function renderedCrl({ number, ...counts }: ImportedCrl): z.infer<typeof IMPORTED_CRL> {
  return { number: number.toString(), ...counts };
}

function certificatesRoute(instance: ServedInstance): Route {
  return route({
    operationId: 'importSupervisedCertificates',
    ...IMPORT,
    path: `${PATH}/:id/certificates`,
    summary: 'Imports certificates of the authority, all of them or none: a certs-only PKCS#7 message, DER',
    media: { type: 'application/pkcs7-mime', maxBytes: MAX_BODY_BYTES },
    answers: {
      201: { description: 'imported', schema: IMPORTED },
      400: { description: 'one of them is forged, of another issuer, or not strict DER: its place in errors' },
      409: { description: 'one of them is imported already' },
    },
    async handle({ params, raw, caller, requestId }) {
      const { certificates } = parseCertsOnly(raw);
      const input = { authorityId: params.id, certificates, take: 'all', requestId } as const;
      return { status: 201, json: renderedImport(await importSupervisedCertificates(instance, caller, input)) };
    },
  });
}

function crlRoute(instance: ServedInstance): Route {
  return route({
    operationId: 'importSupervisedCrl',
    ...IMPORT,
    path: `${PATH}/:id/crls`,
    summary: 'Imports a complete CRL of the authority, newer than the one that stands, DER',
    media: { type: 'application/pkix-crl', maxBytes: MAX_BODY_BYTES },
    answers: {
      201: { description: 'imported', schema: IMPORTED_CRL },
      400: { description: 'forged, of another issuer, older or of a number that was there: see rule' },
      409: { description: 'imported already' },
    },
    async handle({ params, raw, caller, requestId }) {
      const imported = await importSupervisedCrl(instance, caller, { authorityId: params.id, crl: raw, requestId });
      return { status: 201, json: renderedCrl(imported) };
    },
  });
}

function fetchRoute(instance: ServedInstance): Route {
  return route({
    operationId: 'fetchSupervisedAuthority',
    ...IMPORT,
    path: `${PATH}/:id/fetches`,
    summary: 'Asks the addresses of the authority now, and imports what is new',
    body: z.strictObject({}),
    answers: {
      201: {
        description: 'what came of it',
        schema: z.object({ crl: IMPORTED_CRL.optional(), certificates: IMPORTED.optional() }),
      },
      503: { description: 'a repository does not answer' },
    },
    async handle({ params, caller }) {
      const { crl, certificates } = await fetchSupervisedAuthority(instance, caller, params.id);
      const json = {
        ...(crl === 'unchanged' ? {} : { crl: renderedCrl(crl) }),
        ...(certificates === undefined ? {} : { certificates: renderedImport(certificates) }),
      };
      return { status: 201, json };
    },
  });
}

/** Routes of the import. */
export function supervisedImportRoutes(instance: ServedInstance): Route[] {
  return [certificatesRoute(instance), crlRoute(instance), fetchRoute(instance)];
}
