/** What the page asks the service: readings of the API with the session of this browser, and the session itself. */

/** A refusal of the service; `status` is that of HTTP. */
export class ServiceError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

async function answerOf(response: Response): Promise<Response> {
  if (response.ok) return response;
  const text = await response.text();
  throw new ServiceError(response.status, detailOf(text) ?? `HTTP ${response.status}`);
}

function detailOf(text: string): string | undefined {
  try {
    const problem: unknown = JSON.parse(text);
    return member(problem, 'detail');
  } catch {
    return undefined;
  }
}

/** A text member of an answer. */
export function member(value: unknown, name: string): string | undefined {
  const found: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
  return typeof found === 'string' ? found : undefined;
}

/** The items of a list answer. */
export function items(value: unknown): readonly unknown[] {
  const found: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'items') : undefined;
  return Array.isArray(found) ? found : [];
}

export async function readJson(path: string): Promise<unknown> {
  return (await answerOf(await fetch(path, { credentials: 'same-origin', cache: 'no-store' }))).json();
}

export async function readText(path: string): Promise<string> {
  return (await answerOf(await fetch(path, { credentials: 'same-origin', cache: 'no-store' }))).text();
}

/** For the session alone: everything else is read only. */
export async function post(path: string, body: object): Promise<unknown> {
  const response = await answerOf(
    await fetch(path, {
      method: 'POST',
      credentials: 'same-origin',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  );
  return response.status === 204 ? undefined : response.json();
}
