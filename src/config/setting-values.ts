/** The values that settings take: names, paths, addresses, lists. */
import { z } from 'zod';

export interface ListenAddress {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
}

/** A reverse proxy that may say with which client certificate a request came (RFC 9440). */
export interface RegisteredProxy {
  readonly name: string;
  /** Path of the Unix socket on which the service listens for it, absolute. */
  readonly socket: string;
}

export const id = z
  .string()
  .max(64)
  .regex(/^[a-z0-9][a-z0-9-]*$/, 'must be lower-case letters, digits and hyphens');
export const path = z.string().min(1).max(1024);
export const listenAddress = z
  .string()
  .max(100)
  .regex(/^(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]):[0-9]{1,5}$/, 'must be an address such as 127.0.0.1:8440')
  .transform((text): ListenAddress => {
    const colon = text.lastIndexOf(':');
    return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
  })
  .refine(({ port }) => port <= 65_535, 'must have a port of 0 to 65535');

export const authorityList = z
  .string()
  .max(1024)
  .regex(
    /^(?:[a-z0-9.-]+(?::[0-9]{1,5})?(?:,(?=[a-z0-9])|$))*$/,
    'must be host names, with or without a port, and commas',
  )
  .transform((list) => (list === '' ? [] : list.split(',')));

/** Octets of a socket address that every system takes. */
const SOCKET_PATH = 100;
export const proxyList = z
  .string()
  .max(1024)
  .regex(
    /^(?:[a-z0-9][a-z0-9-]{0,62}=\/[A-Za-z0-9._/-]+(?:,(?=[a-z0-9])|$))*$/,
    'must be name=/path of a socket, and commas',
  )
  .transform((list): RegisteredProxy[] =>
    (list === '' ? [] : list.split(',')).map((entry) => {
      const equals = entry.indexOf('=');
      return { name: entry.slice(0, equals), socket: entry.slice(equals + 1) };
    }),
  )
  .refine(
    (list) => list.every(({ socket }) => socket.length <= SOCKET_PATH),
    'must have paths of at most 100 characters',
  )
  .refine(
    (list) => new Set(list.flatMap(({ name, socket }) => [name, socket])).size === 2 * list.length,
    'must name each proxy and each socket once',
  );
