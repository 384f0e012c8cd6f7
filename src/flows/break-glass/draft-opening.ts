import { BREAK_GLASS_SCHEMA, readOpeningBody, type OpeningBody } from '../../domain/break-glass.ts';
import { newId } from '../../domain/id.ts';
import { signedTime } from '../../domain/signed-body.ts';
import { randomBytes } from '../../crypto/random.ts';
import { sm3Fingerprint } from '../../x509/certificate.ts';

export interface OpeningChoice {
  readonly account: string;
  readonly bag: string;
  /** Of the key in the bag, DER. */
  readonly certificate: Buffer;
  readonly at: Date;
  /** What the first account declared, or what the first account is to declare. */
  readonly declaration:
    | Pick<OpeningBody, 'id' | 'environment' | 'reason' | 'declaredAt'>
    | Pick<OpeningBody, 'environment' | 'reason'>;
}

/**
 * What a sealed account is to sign; the id of the session is made with the first statement.
 * @throws KmcError E_SCHEMA.
 */
export function draftOpening({ account, bag, certificate, at, declaration }: OpeningChoice): OpeningBody {
  const { environment, reason } = declaration;
  const declared = 'id' in declaration ? declaration : { id: newId('bg', at), declaredAt: signedTime(at) };
  return readOpeningBody({
    schema: BREAK_GLASS_SCHEMA,
    id: declared.id,
    environment,
    reason,
    declaredAt: declared.declaredAt,
    account,
    bag,
    certSm3: sm3Fingerprint(certificate),
    nonce: randomBytes(16).toString('hex'),
  });
}
