/** Where other authorities publish: the one way in which the service asks addresses outside of itself. */

export interface RepositorySource {
  /**
   * Gets what stands at a registered address: at most `maxBytes` octets, within a fixed time, without following anywhere
   * else.
   * @throws KmcError E_STORAGE when it does not answer, E_SIZE, E_FORBIDDEN for an address that is never asked.
   */
  get(url: string, maxBytes: number): Promise<Buffer>;
}
