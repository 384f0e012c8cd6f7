/** A verifier that shares no code with this product, for the certificates of a root upgrade (A.5, T3). */
export interface LinkVerifier {
  /** For people: which program it is. */
  readonly name: string;
  /**
   * True when it accepts that `issuer` signed `subject` (both DER), or that a root signed itself.
   * @throws KmcError E_CONFIG when the program is not there.
   */
  accepts(subject: Buffer, issuer: Buffer): Promise<boolean>;
}
