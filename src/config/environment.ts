/**
 * The settings of a process: flags over environment variables over kmc.yaml (or --config) over defaults. The only reader of
 * process.env; everything else gets the frozen result.
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { SM2_ENGINES } from '../crypto/gm/sm2-choice.ts';
import type { Sm2EngineName } from '../crypto/gm/sm2-choice.ts';
import { KmcError } from '../errors.ts';
import type { InstanceKind } from './policies.ts';
import {
  authorityList,
  id,
  listenAddress,
  path,
  proxyList,
  type ListenAddress,
  type RegisteredProxy,
} from './setting-values.ts';
import { readStrictYaml } from './strict-yaml.ts';

export type { ListenAddress, RegisteredProxy } from './setting-values.ts';

export interface Environment {
  readonly environment: InstanceKind;
  /** Id of the instance; with the environment it stands in every request (`development/kmc-dev`). */
  readonly instance: string;
  /** Name of this process among those that share the database. */
  readonly node: string;
  /** Origin of the audit log. */
  readonly origin: string;
  /** Folder of the instance, absolute. */
  readonly home: string;
  /** `postgres://…`, or the path of a SQLite file. May hold a password: never shown. */
  readonly database: string;
  /** Folder of the backups that this process makes, absolute: on another medium than the database. */
  readonly backups: string;
  readonly listen: ListenAddress;
  readonly tlsListen: ListenAddress;
  /** Where certification authorities speak GM/T 0014 over plain TCP; undefined: nowhere. */
  readonly caListen: ListenAddress | undefined;
  /** Names (`host` or `host:port`) under which callers reach the service besides its own addresses: of a front, of DNS. */
  readonly authorities: readonly string[];
  /** Reverse proxies that end TLCP or TLS in front of the service, each on a private socket of its own. */
  readonly proxies: readonly RegisteredProxy[];
  /** Folder of the policy files, absolute. */
  readonly policies: string;
  /** Whether this process signs checkpoints: exactly one of those that share a database does. */
  readonly auditSigner: boolean;
  /** Whether this process fills the key pools in the background. */
  readonly poolFill: boolean;
  /** What computes SM2: the WebAssembly kernel, or node:crypto and JavaScript. */
  readonly sm2Engine: Sm2EngineName;
  readonly logLevel: 'error' | 'warn' | 'info' | 'debug';
  /** Address of the service that the command line talks to. */
  readonly server: string | undefined;
  /** Files of the person who uses the command line: encrypted key, certificate, passphrase. */
  readonly keyFile: string | undefined;
  readonly certificateFile: string | undefined;
  readonly passphraseFile: string | undefined;
}

export type SettingName = keyof Environment;
export type SettingSource = 'flag' | 'environment' | 'file' | 'default';

/** Settings given on the command line, in text, and the file that stands in for kmc.yaml of the home. */
export type SettingFlags = Partial<Readonly<Record<SettingName | 'config', string>>>;

interface Setting {
  /** Environment variable. */
  readonly variable: string;
  /** Key in kmc.yaml; absent where the file cannot state it. */
  readonly key?: string;
  /** What the instance is: no flag and no variable may contradict its kmc.yaml. */
  readonly identity?: true;
}

const SETTINGS: Readonly<Record<SettingName, Setting>> = {
  environment: { variable: 'KMC_ENVIRONMENT', key: 'environment', identity: true },
  instance: { variable: 'KMC_INSTANCE', key: 'instance', identity: true },
  origin: { variable: 'KMC_ORIGIN', key: 'origin', identity: true },
  node: { variable: 'KMC_NODE', key: 'node' },
  home: { variable: 'KMC_HOME' },
  database: { variable: 'KMC_DB', key: 'database' },
  backups: { variable: 'KMC_BACKUPS', key: 'backups' },
  listen: { variable: 'KMC_LISTEN', key: 'listen' },
  tlsListen: { variable: 'KMC_TLS_LISTEN', key: 'tls-listen' },
  caListen: { variable: 'KMC_CA_LISTEN', key: 'ca-listen' },
  authorities: { variable: 'KMC_AUTHORITIES', key: 'authorities' },
  proxies: { variable: 'KMC_PROXIES', key: 'proxies' },
  policies: { variable: 'KMC_POLICIES', key: 'policies' },
  auditSigner: { variable: 'KMC_AUDIT_SIGNER', key: 'audit-signer' },
  poolFill: { variable: 'KMC_POOL_FILL', key: 'pool-fill' },
  sm2Engine: { variable: 'KMC_SM2_ENGINE', key: 'sm2-engine' },
  logLevel: { variable: 'KMC_LOG_LEVEL', key: 'log-level' },
  server: { variable: 'KMC_URL', key: 'url' },
  keyFile: { variable: 'KMC_KEY', key: 'key' },
  certificateFile: { variable: 'KMC_CERT', key: 'cert' },
  passphraseFile: { variable: 'KMC_PASSPHRASE_FILE', key: 'passphrase-file' },
};

/** Variables of the test suite, which child processes inherit. */
const TEST_VARIABLE = /^KMC_(?:SEED|CRASH_POINTS|TEST_[A-Z_]+)$/;

const ENVIRONMENT_SCHEMA = z.strictObject({
  environment: z.enum(['production', 'development']).default('development'),
  instance: id.default('kmc-dev'),
  origin: z
    .string()
    .max(100)
    .regex(/^[a-z0-9.-]+(?:\/[a-z0-9.-]+)*$/, 'must be a host name, with or without a path')
    .optional(),
  node: id.default('node-1'),
  home: path.default('keystore/dev'),
  database: path.optional(),
  backups: path.optional(),
  listen: listenAddress.prefault('127.0.0.1:8440'),
  tlsListen: listenAddress.prefault('127.0.0.1:8443'),
  caListen: listenAddress.optional(),
  authorities: authorityList.prefault(''),
  proxies: proxyList.prefault(''),
  policies: path.optional(),
  auditSigner: z
    .enum(['yes', 'no'])
    .default('yes')
    .transform((word) => word === 'yes'),
  poolFill: z
    .enum(['yes', 'no'])
    .default('yes')
    .transform((word) => word === 'yes'),
  sm2Engine: z.enum(SM2_ENGINES).default('kernel'),
  logLevel: z.enum(['error', 'warn', 'info', 'debug']).default('info'),
  server: z
    .string()
    .max(200)
    .regex(/^https?:\/\/[A-Za-z0-9.:[\]-]+$/, 'must be an address such as http://127.0.0.1:8440')
    .optional(),
  keyFile: path.optional(),
  certificateFile: path.optional(),
  passphraseFile: path.optional(),
});

/**
 * Reads the settings. kmc.yaml stands in the home folder; a home without one is a new instance. The file of `--config`
 * takes its place for everything but the identity, which stays what kmc.yaml of the home says.
 * @throws KmcError E_CONFIG for an unknown KMC_ variable, an unknown key of the file (with its line), a value that does
 * not fit, an identity other than that of kmc.yaml, or a file of `--config` that cannot be read.
 */
export function readEnvironment(
  flags: SettingFlags = {},
  variables: Readonly<Record<string, string | undefined>> = process.env,
): Environment {
  refuseUnknownVariables(variables);
  const home = resolve(flags.home ?? variables['KMC_HOME'] ?? 'keystore/dev');
  const own = readSettingsFile(join(home, 'kmc.yaml'), HOME_FILE);
  const file = flags.config === undefined ? own : readSettingsFile(resolve(flags.config), CONFIG_FILE);
  const given: Record<string, string> = { home };
  for (const [name, setting] of settings()) {
    const stated = flags[name] ?? variables[setting.variable];
    const filed = setting.key === undefined ? undefined : file.get(setting.key);
    const value = setting.identity === true ? identityOf(setting, [own, file], stated) : (stated ?? filed);
    if (value !== undefined && name !== 'home') given[name] = value;
  }
  const parsed = ENVIRONMENT_SCHEMA.safeParse(given);
  if (!parsed.success) throw settingError(parsed.error);
  const { origin, database, backups, policies, caListen, server, keyFile, certificateFile, passphraseFile, ...rest } =
    parsed.data;
  return Object.freeze({
    ...rest,
    origin: origin ?? `localhost/${rest.instance}`,
    database: database ?? join(home, 'kmc.sqlite'),
    backups: resolve(backups ?? join(home, 'backups')),
    policies: policies === undefined ? SHIPPED_POLICIES : resolve(policies),
    caListen,
    server,
    keyFile,
    certificateFile,
    passphraseFile,
  });
}

/** A member of the identity: the first that is stated, and no other may differ. @throws KmcError E_CONFIG. */
function identityOf(
  { key = '', variable }: Setting,
  files: readonly ReadonlyMap<string, string>[],
  stated: string | undefined,
): string | undefined {
  const all = [...files.map((file) => file.get(key)), stated].filter((value) => value !== undefined);
  if (new Set(all).size <= 1) return all[0];
  throw new KmcError(
    'E_CONFIG',
    `${variable} (${key}) contradicts the settings file: the instance is what kmc.yaml of its home says.`,
  );
}

/** Where the shipped policy files lie: beside src and dist alike. */
const SHIPPED_POLICIES = fileURLToPath(new URL('../../policies', import.meta.url));

/** `<environment>/<instance id>` as it stands in approval requests. */
export function environmentName(environment: Pick<Environment, 'environment' | 'instance'>): string {
  return `${environment.environment}/${environment.instance}`;
}

function settings(): [SettingName, Setting][] {
  return SETTING_NAMES.map((name) => [name, SETTINGS[name]]);
}

const SETTING_NAMES: readonly SettingName[] = Object.keys(SETTINGS).filter((name): name is SettingName =>
  Object.hasOwn(SETTINGS, name),
);

function refuseUnknownVariables(variables: Readonly<Record<string, string | undefined>>): void {
  const known = new Set(settings().map(([, setting]) => setting.variable));
  const unknown = Object.keys(variables).find(
    (name) => name.startsWith('KMC_') && !known.has(name) && !TEST_VARIABLE.test(name),
  );
  if (unknown === undefined) return;
  throw new KmcError('E_CONFIG', `There is no setting ${unknown}. Known ones: ${[...known].sort().join(', ')}.`);
}

interface SettingsFile {
  /** What messages call it. */
  readonly name: string;
  readonly required: boolean;
}

const HOME_FILE: SettingsFile = { name: 'kmc.yaml', required: false };
const CONFIG_FILE: SettingsFile = { name: 'the file of --config', required: true };

/** The keys and values of a settings file; empty when there is none and none is required. */
function readSettingsFile(location: string, { name, required }: SettingsFile): ReadonlyMap<string, string> {
  let bytes: Buffer;
  try {
    bytes = readFileSync(location);
  } catch (error) {
    if (!required && error instanceof Error && 'code' in error && error.code === 'ENOENT') return new Map();
    const advice = required ? 'Name a file that is there.' : 'Check its permissions.';
    throw new KmcError('E_CONFIG', `Cannot read ${name}. ${advice}`, { cause: error });
  }
  const { document, faults } = readStrictYaml(bytes);
  if (document === undefined) throw fileError(name, faults[0]?.line ?? 1, faults[0]?.message ?? 'does not parse');
  const parsed = z.record(z.string(), z.string().max(1024)).safeParse(document.value);
  if (!parsed.success) throw fileError(name, 1, 'must hold keys with text values');
  const known = new Set(settings().map(([, setting]) => setting.key));
  const unknown = Object.keys(parsed.data).find((key) => !known.has(key));
  if (unknown !== undefined) throw fileError(name, document.lineOf([unknown]), `the key ${unknown} is not known`);
  return new Map(Object.entries(parsed.data));
}

function fileError(name: string, line: number, what: string): KmcError {
  return new KmcError('E_CONFIG', `${name}, line ${line}: ${what}.`);
}

function settingError(error: z.ZodError): KmcError {
  const [issue] = error.issues;
  const name = SETTING_NAMES.find((one) => one === issue?.path[0]);
  const setting = name === undefined ? undefined : SETTINGS[name];
  const key = setting?.key === undefined ? '' : ` (${setting.key} in the settings file)`;
  return new KmcError('E_CONFIG', `${setting?.variable ?? 'A setting'}${key}: ${issue?.message ?? 'does not fit'}.`);
}
