/** The law of the layers: who may import whom, which packages belong where, and which calls are banned. */
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, normalize, relative, sep } from 'node:path';
import { expect } from 'chai';

interface LayerRule {
  /** Layers (first path segment, or a path prefix) this layer may import besides itself. */
  readonly layers: readonly string[];
  /** Packages this layer may import; `node:*` modules are listed one by one where they matter. */
  readonly packages: readonly string[];
}

const PURE_NODE = ['node:crypto'];
const LAYERS: Readonly<Record<string, LayerRule>> = {
  'errors.ts': { layers: [], packages: [] },
  crypto: {
    layers: ['errors.ts'],
    packages: [
      ...PURE_NODE,
      'node:util',
      'node:buffer',
      'node:fs',
      'node:worker_threads',
      'node:os',
      '@noble/curves',
      '@noble/hashes',
      'node-forge',
      'shamir-secret-sharing',
    ],
  },
  /** Runs in a browser: nothing of the service, nothing of Node. */
  console: { layers: ['verifier'], packages: [] },
  verifier: { layers: ['crypto/gm/sm3-portable.ts'], packages: ['@noble/curves', '@noble/hashes'] },
  x509: { layers: ['errors.ts', 'crypto'], packages: ['node:buffer', 'node:net'] },
  domain: { layers: ['errors.ts', 'crypto', 'x509'], packages: ['node:buffer'] },
  flows: { layers: ['errors.ts', 'crypto', 'x509', 'domain'], packages: ['node:buffer'] },
  config: {
    layers: ['errors.ts', 'crypto', 'x509', 'domain'],
    packages: ['zod', 'yaml', 'node:fs', 'node:path', 'node:url', 'node:os'],
  },
  store: {
    layers: ['errors.ts', 'crypto', 'domain', 'flows/ports'],
    packages: ['knex', 'sqlite3', 'pg', 'node:fs', 'node:path', 'node:timers/promises', 'node:async_hooks', 'node:url'],
  },
  keystore: {
    layers: ['errors.ts', 'crypto', 'domain', 'flows/ports'],
    packages: ['node:fs', 'node:path', 'node:crypto', 'node:os'],
  },
  http: {
    layers: ['errors.ts', 'crypto', 'x509', 'domain', 'flows', 'config'],
    packages: [
      'express',
      'prom-client',
      'rate-limiter-flexible',
      'zod',
      'node:dns',
      'node:http',
      'node:https',
      'node:net',
      'node:tls',
      'node:stream',
      'node:events',
      'node:url',
      'node:util',
      'node:zlib',
    ],
  },
  agent: {
    layers: ['errors.ts', 'crypto', 'x509', 'domain'],
    packages: [
      'node:http',
      'node:https',
      'node:fs',
      'node:path',
      'node:url',
      'node:timers/promises',
      'node:child_process',
    ],
  },
  cli: {
    layers: ['errors.ts', 'crypto', 'x509', 'domain', 'flows', 'config', 'agent', 'verifier'],
    packages: [
      'node:fs',
      'node:path',
      'node:readline',
      'node:readline/promises',
      'node:util',
      'node:tty',
      'node:url',
      'node:stream',
      'node:stream/promises',
      'node:os',
      'node:zlib',
    ],
  },
  'main.ts': { layers: ['*'], packages: ['*'] },
  main: { layers: ['*'], packages: ['*'] },
};

/** Packages that only one file or folder of a layer may use. */
const CONFINED: Readonly<Record<string, string>> = {
  'node-forge': 'crypto/legacy/pkcs12.ts',
  'shamir-secret-sharing': 'crypto/shamir.ts',
};

/** Modules of Node that only one file of a layer may use. */
const CONFINED_MODULES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  crypto: {
    'node:fs': 'crypto/kernel/kernel.ts',
    'node:os': 'crypto/bulk/worker-pool.ts',
    'node:worker_threads': 'crypto/bulk/',
  },
  http: { 'node:dns': 'http/repository-client.ts' },
};

/** Another language: the kernel has a compiler and rules of its own. */
const ASSEMBLYSCRIPT = 'crypto/kernel/assembly/';

interface BannedCall {
  readonly what: string;
  readonly pattern: RegExp;
  readonly except: readonly string[];
}

const BANNED: readonly BannedCall[] = [
  { what: 'Math.random', pattern: /\bMath\.random\b/, except: [] },
  { what: 'one-shot crypto.sign/verify with sm3', pattern: /\b(?:sign|verify)\(\s*['"]sm3['"]/i, except: [] },
  { what: 'process.env', pattern: /\bprocess\.env\b/, except: ['config/environment.ts'] },
  { what: 'console', pattern: /\bconsole\.\w+\(/, except: [] },
  { what: 'X509Certificate.verify', pattern: /X509Certificate/, except: [] },
];

function layerOf(path: string): string {
  return path.split('/')[0] ?? '';
}

function packageOf(specifier: string): string {
  if (specifier.startsWith('node:')) return specifier;
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? specifier);
}

/** Static imports and re-exports, imports for their effect, and dynamic ones (types included). */
const IMPORTS =
  /^(?:import|export)\b[^;'"]*?\bfrom\s+['"]([^'"]+)['"]|^import\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/gm;

function violationsOf(path: string, source: string): string[] {
  const found: string[] = [];
  const layer = layerOf(path);
  const rule = LAYERS[layer];
  if (rule === undefined) return [`${path}: unknown layer "${layer}"`];
  const code = source.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  for (const match of code.matchAll(IMPORTS)) {
    const specifier = match[1] ?? match[2] ?? match[3] ?? '';
    if (specifier.startsWith('.')) {
      const target = normalize(join(dirname(path), specifier))
        .split(sep)
        .join('/');
      const inside = layerOf(target) === layer;
      const allowed = rule.layers.some((l) => l === '*' || target === l || target.startsWith(`${l}/`));
      if (!inside && !allowed) found.push(`${path}: imports ${target}`);
      if (!specifier.endsWith('.ts')) found.push(`${path}: import "${specifier}" lacks the .ts suffix`);
    } else {
      const name = packageOf(specifier);
      if (!rule.packages.includes('*') && !rule.packages.includes(name)) found.push(`${path}: imports package ${name}`);
      const home = CONFINED[name];
      if (home !== undefined && path !== home) found.push(`${path}: ${name} belongs to ${home}`);
      const place = CONFINED_MODULES[layer]?.[name];
      if (place !== undefined && !path.startsWith(place)) found.push(`${path}: ${name} belongs to ${place}`);
    }
  }
  for (const ban of BANNED) {
    if (ban.pattern.test(code) && !ban.except.includes(path)) found.push(`${path}: uses ${ban.what}`);
  }
  return found;
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'));
}

const SRC = join(import.meta.dirname, '..', 'src');

describe('architecture', () => {
  it('every source file imports downwards only, and only the packages of its layer', () => {
    const files = sourceFiles(SRC).filter((file) => !file.startsWith(ASSEMBLYSCRIPT));
    expect(files.length).to.be.greaterThan(50);
    expect(files.flatMap((file) => violationsOf(file, readFileSync(join(SRC, file), 'utf8')))).to.deep.equal([]);
  });

  const seeded: readonly (readonly [string, string, string])[] = [
    ['crypto/x.ts', "import { a } from '../domain/a.ts';", 'imports domain/a.ts'],
    ['domain/x.ts', "import { a } from '../flows/a.ts';", 'imports flows/a.ts'],
    ['domain/x.ts', "import knex from 'knex';", 'imports package knex'],
    ['flows/x.ts', "const a = await import('../store/a.ts');", 'imports store/a.ts'],
    ['store/x.ts', "import { a } from '../flows/issue.ts';", 'imports flows/issue.ts'],
    ['http/x.ts', "export {\n  a,\n} from '../store/a.ts';", 'imports store/a.ts'],
    ['x509/x.ts', "import '../domain/a.ts';", 'imports domain/a.ts'],
    ['crypto/x.ts', "type A = import('../x509/a.ts').A;", 'imports x509/a.ts'],
    ['crypto/x.ts', "import forge from 'node-forge';", 'node-forge belongs to crypto/legacy/pkcs12.ts'],
    ['crypto/x.ts', "import { readFileSync } from 'node:fs';", 'node:fs belongs to crypto/kernel/kernel.ts'],
    ['crypto/x.ts', 'const a = Math.random();', 'uses Math.random'],
    ['crypto/x.ts', "const s = sign('sm3', data, key);", 'uses one-shot crypto.sign/verify with sm3'],
    ['http/x.ts', 'const a = process.env.A;', 'uses process.env'],
    ['util/x.ts', '', 'unknown layer "util"'],
  ];
  for (const [path, source, message] of seeded) {
    it(`a seeded fault is found: ${message}`, () => {
      expect(violationsOf(path, source).join('\n')).to.include(message);
    });
  }

  it('a port file is what store and keystore may see of the flows', () => {
    expect(violationsOf('store/x.ts', "import type { A } from '../flows/ports/a.ts';")).to.deep.equal([]);
  });
});
