/** The part of sm-crypto 0.5 that the tests use as an oracle. */
declare module 'sm-crypto' {
  interface Sm2 {
    generateKeyPairHex(): { privateKey: string; publicKey: string };
    doSignature(
      message: number[] | string,
      privateKey: string,
      options?: { hash?: boolean; der?: boolean; userId?: string; publicKey?: string },
    ): string;
    doVerifySignature(
      message: number[] | string,
      signature: string,
      publicKey: string,
      options?: { hash?: boolean; der?: boolean; userId?: string },
    ): boolean;
    /** cipherMode 1 is C1C3C2 and 0 is C1C2C3, both without the 04 of C1, in hex. */
    doEncrypt(message: number[] | string, publicKey: string, cipherMode?: 0 | 1): string;
    doDecrypt(ciphertext: string, privateKey: string, cipherMode: 0 | 1, options: { output: 'array' }): number[];
  }
  const smCrypto: { readonly sm2: Sm2; readonly sm3: (message: number[]) => string };
  export default smCrypto;
}
