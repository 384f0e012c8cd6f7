/**
 * Closed shapes of canonical JSON: an object has exactly the known fields, in the order of RFC 8785, each with a fit
 * value. One pass over a parsed record answers for schema and key order together, which keeps strict verification fast.
 */

const KNOWN_NAME = /^[A-Za-z0-9_]{1,32}$/;

/** Undefined if the value fits, otherwise the JSON pointer (RFC 6901), below the value, of what does not. */
export type Check = (value: unknown) => string | undefined;

export interface Field {
  readonly check: Check;
  readonly optional?: boolean;
}

/** Turns a yes-or-no test into a check of a value without parts. */
export function leaf(fits: (value: unknown) => boolean): Check {
  return (value) => (fits(value) ? undefined : '');
}

/** A string that matches. */
export function text(pattern: RegExp): Check {
  return leaf((value) => typeof value === 'string' && pattern.test(value));
}

/** An object with the given fields and no others. */
export function object(fields: Readonly<Record<string, Field>>): Check {
  // Field names are ASCII, so the order of UTF-16 units that RFC 8785 asks for is that of sort().
  const sorted = Object.entries(fields)
    .map(([name, field]) => ({ name, check: field.check, optional: field.optional === true }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  return (value) => {
    if (!isObject(value)) return '';
    let at = 0;
    for (const name in value) {
      let field = sorted[at];
      while (field !== undefined && field.name !== name) {
        if (!field.optional) return `/${field.name}`;
        at += 1;
        field = sorted[at];
      }
      // A name from outside is not repeated: it may be anything.
      if (field === undefined) return KNOWN_NAME.test(name) ? `/${name}` : '';
      const misfit = field.check(value[name]);
      if (misfit !== undefined) return `/${name}${misfit}`;
      at += 1;
    }
    const missing = sorted.slice(at).find((field) => !field.optional);
    return missing === undefined ? undefined : `/${missing.name}`;
  };
}

/**
 * A list of `minimum` to `maximum` items, each fit. With `key`, the items stand in strictly rising order of that text, so
 * none is there twice.
 */
export function list(minimum: number, maximum: number, item: Check, key?: (value: unknown) => string): Check {
  return (value) => {
    if (!Array.isArray(value) || value.length < minimum || value.length > maximum) return '';
    let previous: string | undefined;
    for (const [at, element] of value.entries()) {
      const misfit = item(element);
      if (misfit !== undefined) return `/${at}${misfit}`;
      const current = key?.(element);
      if (current !== undefined && previous !== undefined && previous >= current) return `/${at}`;
      previous = current;
    }
    return undefined;
  };
}

/** The same value with the members of all its objects in the order that `object` demands. */
export function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([name, member]): [string, unknown] => [name, inOrder(member)])
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

/** True for a JSON object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
