/** How often one source, and one identity, may call (security-and-faults D7). Counts stand in memory, for each process. */
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';

export interface RateLimit {
  readonly requests: number;
  readonly seconds: number;
}

export interface RateLimits {
  /** Of one transport address; of one /64 network of IPv6. */
  readonly source: RateLimit;
  /** Of one person or device, by whichever certificate. */
  readonly identity: RateLimit;
  /** Of one application. */
  readonly application: RateLimit;
}

/** Many devices may stand behind one address, so a source gets more than an identity. */
export const DEFAULT_RATE_LIMITS: RateLimits = {
  source: { requests: 20_000, seconds: 10 },
  identity: { requests: 2_000, seconds: 10 },
  application: { requests: 20_000, seconds: 10 },
};

/** A refused call. `isFirst` marks the first refusal of a period: the one that is worth an audit event. */
export interface RateRefusal {
  readonly retryAfter: number;
  readonly isFirst: boolean;
}

export class RateLimiter {
  readonly #limiter: RateLimiterMemory;
  readonly #requests: number;

  constructor({ requests, seconds }: RateLimit) {
    this.#requests = requests;
    this.#limiter = new RateLimiterMemory({ points: requests, duration: seconds });
  }

  /** Counts one call. @returns undefined when it is allowed; `retryAfter` is in seconds. */
  async refusal(key: string): Promise<RateRefusal | undefined> {
    try {
      await this.#limiter.consume(key);
      return undefined;
    } catch (result) {
      if (!(result instanceof RateLimiterRes)) throw result;
      return {
        retryAfter: Math.max(1, Math.ceil(result.msBeforeNext / 1000)),
        isFirst: result.consumedPoints === this.#requests + 1,
      };
    }
  }
}

const MAPPED_IPV4 = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i;
const IPV6_GROUPS = 8;
const NETWORK_GROUPS = 4;

/** Transport address of a peer as text; IPv4 in IPv6 is IPv4. */
export function addressText(address: string | undefined): string {
  return address === undefined ? 'unknown' : (MAPPED_IPV4.exec(address)?.[1] ?? address);
}

/** What is counted together: an IPv4 address, or the /64 network of an IPv6 address, since whoever has one has all of it. */
export function sourceNetwork(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.toLowerCase().replace(/%.*$/, '').split('::');
  const groups = (text: string): string[] => text.split(':').filter((group) => group !== '');
  const last = groups(tail ?? '');
  const first = groups(head);
  const missing = Math.max(0, IPV6_GROUPS - first.length - last.length);
  const all = [...first, ...Array.from({ length: missing }, () => '0'), ...last];
  return `${all.slice(0, NETWORK_GROUPS).join(':')}::/64`;
}
