/** What the composition made of an instance: every flow takes the part of it that it names. */
import type { CryptoEngine } from '../crypto/engine.ts';
import type { PolicySet } from '../domain/policy.ts';
import type { ServiceKeystore } from './keystore/service-keystore.ts';
import type { Clock, Database } from './ports/database.ts';

export interface Instance {
  /** Id of the instance, e.g. `kmc-dev`. */
  readonly id: string;
  readonly environment: 'development' | 'production';
  /** `<environment>/<id>`: stands in every request and approval. */
  readonly environmentName: string;
  /** Name of this process among those that share the database. */
  readonly node: string;
  readonly database: Database;
  readonly clock: Clock;
  readonly engine: CryptoEngine;
  readonly keystore: ServiceKeystore;
  readonly policies: PolicySet;
  /** `sm3:<hex>` of the policy set in force. */
  readonly policyDigest: string;
}
