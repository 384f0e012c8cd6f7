/** The cookie of the console: for this service alone, out of the reach of scripts, never sent from another site. */

const NAME = 'kmc-console';

/** The secret that a browser sent, if it sent one. */
export function consoleSecret(cookie: string | undefined): string | undefined {
  for (const part of cookie?.split(';') ?? []) {
    const [name, value] = part.trim().split('=', 2);
    if (name === NAME && value !== undefined && value !== '') return value;
  }
  return undefined;
}

/** The Set-Cookie field for a secret, for so many seconds; 0 takes it away. */
export function consoleCookie(secret: string, seconds: number, isSecure: boolean): Readonly<Record<string, string>> {
  const attributes = [
    `${NAME}=${secret}`,
    'Path=/',
    'HttpOnly',
    'SameSite=Strict',
    `Max-Age=${seconds}`,
    ...(isSecure ? ['Secure'] : []),
  ];
  return { 'set-cookie': attributes.join('; ') };
}
