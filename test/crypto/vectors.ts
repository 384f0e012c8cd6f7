/** Published vectors, which stand in test/vectors with the note of where they come from. */
import { readFileSync } from 'node:fs';

export const hex = (text: string): Buffer => Buffer.from(text, 'hex');

function read(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8'));
}

interface Sm4Case {
  readonly source: string;
  readonly key: string;
  readonly iv: string;
  readonly pt: string;
  readonly ct: string;
  readonly iterations?: number;
  readonly result?: string;
}

interface GmVectors {
  readonly sm3: readonly { source: string; msg_hex?: string; msg?: string; len?: number; digest: string }[];
  readonly hmac_sm3: readonly { source: string; key: string; msg: string; tag: string; result: string }[];
  readonly pbkdf2_hmac_sm3: readonly {
    source: string;
    password_hex: string;
    salt: string;
    iterations: number;
    dkLen: number;
    dk: string;
  }[];
  readonly hkdf_sm3: readonly { source: string; ikm: string; salt: string; info: string; L: number; okm: string }[];
  readonly sm4: Readonly<Record<'ecb' | 'cbc' | 'ctr' | 'cbc_pkcs7', readonly Sm4Case[]>>;
  readonly sm2_curve: Readonly<Record<'p' | 'a' | 'b' | 'n' | 'Gx' | 'Gy', string>>;
  readonly sm2_sign: readonly {
    source: string;
    d: string;
    P: string;
    id: string | null;
    msg: string;
    Z?: string;
    r: string;
    s: string;
    sig_der: string;
  }[];
  readonly sm2_encrypt: readonly {
    source: string;
    kdf_only?: boolean;
    z: string;
    len: number;
    out: string;
    d: string;
    P: string;
    msg?: string;
    msg_hex?: string;
    k: string;
    C1: string;
    C2: string;
    C3: string;
    raw_c1c3c2?: string;
    raw_c1c2c3?: string;
    der: string;
  }[];
  readonly sm2_key_exchange: readonly (Readonly<
    Record<
      'source' | 'idA' | 'idB' | 'dA' | 'rA' | 'dB' | 'rB' | 'PA' | 'PB' | 'RA' | 'RB' | 'K' | 'S1_SB_prefix02',
      string
    >
  > & { readonly S2_SA_prefix03: string; readonly klen_bytes: number })[];
  readonly pkcs8: readonly {
    source: string;
    what?: string;
    name?: string;
    d?: string;
    P?: string;
    password?: string;
    plain_b64?: string;
    b64: string;
  }[];
  readonly cert_keys: readonly { source: string; d: string; pkcs8_b64: string }[];
}

/** SM2, SM3 and SM4 vectors of several sources. */
export const GM = read('gm-vectors') as GmVectors;

interface Sm2BadInput {
  readonly key: Readonly<Record<'privateKeyHex' | 'publicKeyHex' | 'spkiDerHex' | 'zHex', string>>;
  readonly messageHex: string;
  readonly goodSignature: { readonly derHex: string; readonly rawHex: string };
  readonly badSignaturesDer: readonly { id: string; derHex: string }[];
  readonly badSignaturesRaw: readonly { id: string; hex: string }[];
  readonly badPublicKeys: readonly { id: string; hex: string }[];
  readonly invalidCurvePoints: { readonly points: readonly { order: number; point: string }[] };
  readonly badPrivateKeys: readonly { id: string; hex: string }[];
}

/** Signatures, points and private keys that must be refused. */
export const SM2_BAD = read('sm2-bad-input') as Sm2BadInput;

interface GatewaySignatures {
  readonly key: { readonly spkiDerHex: string };
  readonly signatureBase: string;
  readonly negative: readonly { id: string; signatureBase64?: string; signatureBase?: string }[];
}

/** Signatures made under another ID, without Z, and as ECDSA on the SM2 curve. */
export const GATEWAY = read('gateway-signature-vector') as GatewaySignatures;

interface ApprovalDigest {
  readonly prefixHex: string;
  readonly jcs: string;
  readonly jcsUtf8Hex: string;
  readonly keyOrderShuffledInput: string;
  readonly requestDigestHex: string;
  readonly mustDiffer: readonly { id: string; sm3Hex: string }[];
}

/** The digest of an approval request over its canonical JSON. */
export const APPROVAL = read('approval-digest-vector') as ApprovalDigest;
