/** The sockets on which the service listens for its registered proxies. */
import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import type { RegisteredProxy } from '../config/environment.ts';
import { KmcError } from '../errors.ts';
import { listen, type Application, type Listener } from '../http/server.ts';

/** Whoever may write to a socket may speak on it: its owner, and the group that the proxy is in. */
const OWNER_AND_GROUP = 0o660;

/** True when a process answers on the socket. */
async function isServed(path: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}

/** Removes the socket that a killed process left. @throws KmcError E_CONFIG when it is another thing, or in use. */
async function clearPlace({ name, socket }: RegisteredProxy): Promise<void> {
  const status = lstatSync(socket, { throwIfNoEntry: false });
  if (status === undefined) return;
  if (!status.isSocket() || (await isServed(socket))) {
    throw new KmcError('E_CONFIG', `The socket of the proxy ${name} is in use, or is no socket. Name another path.`);
  }
  unlinkSync(socket);
}

/**
 * Listens for a registered proxy.
 * @throws KmcError E_CONFIG when the socket cannot be made.
 */
export async function listenForProxy(application: Application, proxy: RegisteredProxy): Promise<Listener> {
  await clearPlace(proxy);
  try {
    const listener = await listen(application, { socket: proxy.socket });
    chmodSync(proxy.socket, OWNER_AND_GROUP);
    return listener;
  } catch (cause) {
    throw new KmcError('E_CONFIG', `The socket of the proxy ${proxy.name} cannot be made: check its folder.`, {
      cause,
    });
  }
}
