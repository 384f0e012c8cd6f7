/** Renews a device again and again until it is killed. Arguments: address of the service, folder, passphrase. */
import { DeviceFolder } from '../../src/agent/device-folder.ts';
import { renew } from '../../src/agent/renew.ts';
import { createClient } from '../../src/agent/signed-client.ts';
import { createSoftwareEngine } from '../../src/crypto/software-engine.ts';

const [baseUrl = '', path = '', passphrase = ''] = process.argv.slice(2);
const engine = createSoftwareEngine();
const ports = {
  engine,
  clientOf: (signer: Parameters<typeof createClient>[0]['signer'] & object) => createClient({ baseUrl, signer }),
  now: () => new Date(),
};
process.stdout.write('ready\n');
for (;;) await renew(ports, new DeviceFolder(path), Buffer.from(passphrase));
