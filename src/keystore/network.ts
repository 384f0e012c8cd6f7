/** Whether anything connects this machine to others (C15). Nothing is sent to find out. */
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';

/** What tells of the network: replaced in tests. */
export interface NetworkSources {
  /** Interfaces that are up, with whether they are loopback. */
  readonly interfaces: () => readonly { readonly name: string; readonly internal: boolean }[];
  /** A table of the kernel as text; empty when there is none. */
  readonly table: (name: 'route' | 'ipv6_route') => string;
}

const SYSTEM: NetworkSources = {
  interfaces: () =>
    Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
      addresses.map(({ internal }) => ({ name, internal })),
    ),
  table(name) {
    try {
      return readFileSync(`/proc/self/net/${name}`, 'latin1');
    } catch {
      return '';
    }
  },
};

/** Each interface that is up and each one that a route leads to, loopback apart, in words; sorted, each once. */
export function connections({ interfaces, table }: NetworkSources = SYSTEM): string[] {
  const up = interfaces().flatMap(({ name, internal }) => (internal ? [] : [`interface ${name} is up`]));
  // The device stands first in the table of IPv4, which has a head line, and last in that of IPv6.
  const routes = [
    ...table('route')
      .split('\n')
      .slice(1)
      .map(fields)
      .map(([device]) => device),
    ...table('ipv6_route')
      .split('\n')
      .map(fields)
      .map((columns) => columns.at(-1)),
  ];
  const routed = routes.flatMap((device) =>
    device === undefined || device === '' || device === 'lo' ? [] : [`a route leads to ${device}`],
  );
  return [...new Set([...up, ...routed])].sort();
}

function fields(line: string): string[] {
  return line.trim().split(/\s+/);
}
