/**
 * YAML that can be read in one way only (security-and-faults C1): one document, UTF-8, at most 64 KiB, text keys, no
 * duplicate keys, no anchors, aliases, merge keys or tags. Every fault names its line.
 */
import {
  isAlias,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  parseAllDocuments,
  visit,
  type Document,
  type Node,
} from 'yaml';

export type YamlRule =
  | 'yaml/size'
  | 'yaml/encoding'
  | 'yaml/syntax'
  | 'yaml/documents'
  | 'yaml/duplicate-key'
  | 'yaml/key'
  | 'yaml/anchor'
  | 'yaml/merge-key'
  | 'yaml/tag';

export interface YamlFault {
  readonly line: number;
  readonly rule: YamlRule;
  readonly message: string;
}

export interface StrictYaml {
  readonly value: unknown;
  /** The line of the node at `path`, or of the nearest one above it that is there. */
  lineOf(path: readonly PropertyKey[]): number;
}

/** Exactly one of the two is there: the document, or what is wrong with it. */
export type StrictYamlResult =
  | { readonly document: StrictYaml; readonly faults?: never }
  | { readonly document?: never; readonly faults: readonly YamlFault[] };

export const MAX_YAML_BYTES = 65_536;
const MAX_DEPTH = 16;

const RULE_OF_CODE: Readonly<Record<string, YamlRule>> = {
  DUPLICATE_KEY: 'yaml/duplicate-key',
  TAG_RESOLVE_FAILED: 'yaml/tag',
  BAD_ALIAS: 'yaml/anchor',
};

/** Reads the octets of a file. Never throws: what is wrong comes back with its line. */
export function readStrictYaml(bytes: Uint8Array): StrictYamlResult {
  if (bytes.length > MAX_YAML_BYTES) {
    return { faults: [{ line: 1, rule: 'yaml/size', message: `the file is larger than ${MAX_YAML_BYTES} octets` }] };
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return { faults: [{ line: 1, rule: 'yaml/encoding', message: 'the file is not UTF-8' }] };
  }
  if (text.startsWith('\uFEFF')) {
    return { faults: [{ line: 1, rule: 'yaml/encoding', message: 'the file begins with a byte order mark' }] };
  }
  const deep = lineBelow(text, MAX_DEPTH);
  if (deep !== undefined)
    return { faults: [{ line: deep, rule: 'yaml/syntax', message: 'the file is nested too deeply' }] };
  return parse(text);
}

/** Line at which brackets are nested deeper than `depth`: the parser recurses, so this is looked at before it runs. */
function lineBelow(text: string, depth: number): number | undefined {
  let open = 0;
  let line = 1;
  for (const character of text) {
    if (character === '\n') line += 1;
    else if (character === '[' || character === '{') open += 1;
    else if (character === ']' || character === '}') open -= 1;
    if (open > depth) return line;
  }
  return undefined;
}

function parse(text: string): StrictYamlResult {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, {
    lineCounter: lines,
    uniqueKeys: true,
    merge: false,
    strict: true,
    version: '1.2',
    schema: 'core',
    prettyErrors: false,
    resolveKnownTags: false,
  });
  const [document, second] = Array.isArray(documents) ? documents : [];
  if (document === undefined) return { faults: [{ line: 1, rule: 'yaml/syntax', message: 'the file is empty' }] };
  if (second !== undefined) {
    return {
      faults: [
        {
          line: lineAt(lines, second.range[0]),
          rule: 'yaml/documents',
          message: 'the file holds more than one document',
        },
      ],
    };
  }
  const faults = [
    ...[...document.errors, ...document.warnings].map((error) => ({
      line: lineAt(lines, error.pos[0]),
      rule: RULE_OF_CODE[error.code] ?? ('yaml/syntax' as const),
      message: firstLine(error.message),
    })),
    ...forbiddenNodes(document, lines),
  ];
  if (faults.length > 0) return { faults };
  return {
    document: { value: document.toJS({ maxAliasCount: 0 }), lineOf: (path) => lineOf(document, lines, path) },
  };
}

function forbiddenNodes(document: Document.Parsed, lines: LineCounter): YamlFault[] {
  const faults: YamlFault[] = [];
  const found = (node: Node, rule: YamlRule, message: string): void => {
    faults.push({ line: lineAt(lines, node.range?.[0] ?? 0), rule, message });
  };
  visit(document, {
    Node(_key, node) {
      if (isAlias(node)) found(node, 'yaml/anchor', 'aliases are not allowed; write the value out');
      else if (node.anchor !== undefined) found(node, 'yaml/anchor', 'anchors are not allowed; write the value out');
      if (!isAlias(node) && node.tag !== undefined) found(node, 'yaml/tag', 'tags are not allowed');
    },
    Pair(_key, pair) {
      if (!isNode(pair.key)) return;
      if (!isScalar(pair.key) || typeof pair.key.value !== 'string') {
        found(pair.key, 'yaml/key', 'a key must be text');
      } else if (pair.key.value === '<<') {
        found(pair.key, 'yaml/merge-key', 'merge keys are not allowed; write the members out');
      }
    },
  });
  return faults;
}

function lineAt(lines: LineCounter, offset: number): number {
  return lines.linePos(offset).line;
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? text;
}

function lineOf(document: Document.Parsed, lines: LineCounter, path: readonly PropertyKey[]): number {
  for (let length = path.length; length > 0; length -= 1) {
    const node = nodeAt(document, path.slice(0, length));
    if (node?.range !== undefined && node.range !== null) return lineAt(lines, node.range[0]);
  }
  return 1;
}

/** The key node of a map member, else the item of a list: the key stands on the line that people look for. */
function nodeAt(document: Document.Parsed, path: readonly PropertyKey[]): Node | undefined {
  const parent: unknown = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  const last = path[path.length - 1];
  if (isMap(parent)) {
    const pair = parent.items.find((item) => isScalar(item.key) && item.key.value === last);
    return isNode(pair?.key) ? pair.key : undefined;
  }
  const item: unknown = document.getIn(path, true);
  return isNode(item) ? item : undefined;
}
