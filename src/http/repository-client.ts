/**
 * Asks the repositories of supervised authorities. Nothing but an approved address is asked, no answer leads elsewhere, and
 * what a name stands for is looked at before the connection is made: neither this machine nor its neighbours on the link.
 */
import { lookup as systemLookup } from 'node:dns';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { isRepositoryUrl } from '../domain/supervised-authority.ts';
import { KmcError } from '../errors.ts';
import type { RepositorySource } from '../flows/ports/repository-source.ts';

export interface RepositoryLimits {
  /** Milliseconds for the whole exchange, however slowly it drips. */
  readonly timeout: number;
  /** This machine may be asked: development instances and tests. */
  readonly loopback: boolean;
}

const LIMITS: RepositoryLimits = { timeout: 30_000, loopback: false };

/** Where no repository is: unspecified, link-local (metadata services among them), multicast and beyond. */
function neverAsked({ loopback }: RepositoryLimits): BlockList {
  const list = new BlockList();
  list.addSubnet('0.0.0.0', 8, 'ipv4');
  list.addSubnet('169.254.0.0', 16, 'ipv4');
  list.addSubnet('224.0.0.0', 3, 'ipv4');
  list.addAddress('::', 'ipv6');
  list.addSubnet('fe80::', 10, 'ipv6');
  list.addSubnet('ff00::', 8, 'ipv6');
  if (!loopback) {
    list.addSubnet('127.0.0.0', 8, 'ipv4');
    list.addAddress('::1', 'ipv6');
  }
  return list;
}

function forbidden(): KmcError {
  return new KmcError('E_FORBIDDEN', 'The address leads to this machine or to its link: no repository is there.');
}

function isBlocked(list: BlockList, address: string): boolean {
  // An IPv4 address written as IPv6 is checked as what it is.
  return list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

/** Resolves names as the system does, and refuses what must not be asked: the connection goes to what was looked at. */
function guardedLookup(list: BlockList): LookupFunction {
  return (hostname, options, callback) => {
    systemLookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) {
        callback(error, '', 0);
        return;
      }
      const allowed = addresses.filter(({ address }) => !isBlocked(list, address));
      const [first] = allowed;
      if (first === undefined) callback(forbidden(), '', 0);
      else if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

function unreachable(why: string, cause?: unknown): KmcError {
  return new KmcError('E_STORAGE', `The repository cannot be reached: ${why}.`, { cause });
}

/** The octets of an answer that is one. */
function contentOf(answer: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const fail = (error: KmcError): void => {
      // What the end of the connection says comes too late.
      reject(error);
      answer.destroy();
    };
    if (answer.statusCode !== 200) return fail(unreachable(`it answers ${answer.statusCode ?? 'nothing'}`));
    if (answer.headers['content-encoding'] !== undefined) return fail(unreachable('it encodes what it was asked for'));
    const chunks: Buffer[] = [];
    let size = 0;
    answer.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) fail(new KmcError('E_SIZE', `The repository sends more than ${maxBytes} octets.`));
      else chunks.push(chunk);
    });
    answer.on('error', (error) => reject(unreachable('the answer is cut short', error)));
    answer.on('aborted', () => reject(unreachable('the answer is cut short')));
    answer.on('end', () => resolve(Buffer.concat(chunks)));
  });
}

/** A client with these limits; loopback is for development alone. */
export function createRepositoryClient(given: Partial<RepositoryLimits> = {}): RepositorySource {
  const limits = { ...LIMITS, ...given };
  const list = neverAsked(limits);
  const lookup = guardedLookup(list);
  return {
    async get(text, maxBytes) {
      if (!isRepositoryUrl(text)) throw new KmcError('E_FORBIDDEN', 'That is not the address of a repository.');
      const url = new URL(text);
      const host = url.hostname.replace(/^\[|\]$/g, '');
      // A literal address is not looked up.
      if (isIP(host) !== 0 && isBlocked(list, host)) throw forbidden();
      const signal = AbortSignal.timeout(limits.timeout);
      const start = url.protocol === 'https:' ? httpsRequest : httpRequest;
      const headers = { accept: '*/*', 'accept-encoding': 'identity' };
      return await new Promise<Buffer>((resolve, reject) => {
        const outgoing = start(url, { agent: false, headers, lookup, signal }, (answer) => {
          contentOf(answer, maxBytes).then(resolve, reject);
        });
        outgoing.on('error', (error) => {
          if (error instanceof KmcError) reject(error);
          else reject(unreachable(signal.aborted ? 'it takes too long' : codeOf(error), error));
        });
        outgoing.end();
      });
    },
  };
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : 'no connection';
}
