/** The console: its files, and how a browser gets a session. What it shows comes from the routes of the API. */
import { z } from 'zod';
import { CHALLENGE_SECONDS, SESSION_SECONDS } from '../../domain/console-session.ts';
import { KmcError } from '../../errors.ts';
import { approveSession } from '../../flows/console/approve-session.ts';
import { beginSession } from '../../flows/console/begin-session.ts';
import { endSession } from '../../flows/console/end-session.ts';
import { openSession } from '../../flows/console/open-session.ts';
import { consoleCookie, consoleSecret } from '../console-cookie.ts';
import { route, type Reply, type RequestContext, type Route } from '../route.ts';
import { TIME, timeText } from '../schemas.ts';
import { auditSourceOf, type ServedInstance } from '../served-instance.ts';

const PATH = '/console';
const TAG = 'console';
const PUBLIC = { public: true } as const;
const LOOPBACK = ['127.0.0.1', '::1'];

/** Nothing from elsewhere, nothing inline, in no frame, and no text is ever taken for markup. */
const PAGE_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; " +
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
};

const WORD = z.string().min(1).max(32);

type Context = Pick<RequestContext<unknown, unknown, unknown>, 'channel' | 'source' | 'header'>;

/** A secret does not travel over a network in clear. @throws KmcError E_FORBIDDEN. */
function requirePrivate({ channel, source }: Context): { readonly isSecure: boolean } {
  if (channel.isPrivate) return { isSecure: true };
  if (LOOPBACK.includes(source)) return { isSecure: false };
  throw new KmcError('E_FORBIDDEN', 'The console signs in over HTTPS, or on the machine of the service.');
}

function fileReply({ console: files }: ServedInstance, name: string): Reply {
  const file = files.get(name);
  if (file === undefined) throw new KmcError('E_NOT_FOUND', 'there is nothing at this path');
  return { status: 200, headers: PAGE_HEADERS, bytes: { type: file.type, body: file.body } };
}

function fileRoutes(instance: ServedInstance): Route[] {
  return [
    route({
      operationId: 'getConsole',
      method: 'get',
      path: PATH,
      tag: TAG,
      summary: 'The page of the console',
      access: PUBLIC,
      query: z.strictObject({ lang: z.enum(['en', 'zh']).optional().describe('of the browser unless told') }),
      answers: { 200: { description: 'the page', type: 'text/html' } },
      handle: () => Promise.resolve(fileReply(instance, 'index.html')),
    }),
    route({
      operationId: 'getConsoleFile',
      method: 'get',
      path: `${PATH}/files/:name`,
      tag: TAG,
      summary: 'Script or style of the console',
      access: PUBLIC,
      params: z.strictObject({ name: z.string().regex(/^[a-z-]{1,32}\.(?:js|css)$/) }),
      answers: { 200: { description: 'the file', type: 'text/javascript' } },
      handle: ({ params }) => Promise.resolve(fileReply(instance, params.name)),
    }),
  ];
}

function sessionRoutes(instance: ServedInstance): Route[] {
  return [
    route({
      operationId: 'beginConsoleSession',
      method: 'post',
      path: `${PATH}/challenges`,
      tag: TAG,
      summary: 'A challenge for this browser, to be approved with kmc console sign-in within five minutes',
      access: PUBLIC,
      body: z.strictObject({}),
      answers: { 201: { description: 'the challenge', schema: z.object({ challenge: WORD, expiresAt: TIME }) } },
      async handle(context) {
        const { isSecure } = requirePrivate(context);
        const { secret, challenge, expiresAt } = await beginSession(instance);
        const headers = consoleCookie(secret, CHALLENGE_SECONDS, isSecure);
        return { status: 201, headers, json: { challenge, expiresAt: timeText(expiresAt) } };
      },
    }),
    route({
      operationId: 'openConsoleSession',
      method: 'post',
      path: `${PATH}/sessions`,
      tag: TAG,
      summary: 'Opens the session of this browser with the confirmation code, for half an hour',
      access: PUBLIC,
      body: z.strictObject({ code: WORD }),
      answers: { 201: { description: 'open', schema: z.object({ expiresAt: TIME }) } },
      async handle(context) {
        const { isSecure } = requirePrivate(context);
        const { body, requestId } = context;
        const opened = await openSession(instance, {
          secret: consoleSecret(context.header('cookie')) ?? '',
          code: body.code,
          source: auditSourceOf(instance, requestId),
        });
        const headers = consoleCookie(opened.secret, SESSION_SECONDS, isSecure);
        return { status: 201, headers, json: { expiresAt: timeText(opened.expiresAt) } };
      },
    }),
    route({
      operationId: 'endConsoleSession',
      method: 'post',
      path: `${PATH}/sign-out`,
      tag: TAG,
      summary: 'Ends the session of this browser',
      access: PUBLIC,
      body: z.strictObject({}),
      answers: { 204: { description: 'ended' } },
      async handle(context) {
        const secret = consoleSecret(context.header('cookie')) ?? '';
        await endSession(instance, { secret, source: auditSourceOf(instance, context.requestId) });
        return { status: 204, headers: consoleCookie('', 0, context.channel.isPrivate) };
      },
    }),
  ];
}

/** Routes of the console. */
export function consoleRoutes(instance: ServedInstance): Route[] {
  return [
    ...fileRoutes(instance),
    ...sessionRoutes(instance),
    route({
      operationId: 'approveConsoleSession',
      method: 'post',
      path: '/api/v1/console/approvals',
      tag: TAG,
      summary: 'Approves the challenge that a browser shows; the answer holds the code to be typed there',
      access: { persons: 'any' },
      body: z.strictObject({ challenge: WORD }),
      answers: {
        201: { description: 'approved', schema: z.object({ code: WORD }) },
        404: { description: 'no browser waits with it' },
      },
      async handle({ body, caller, requestId }) {
        const source = auditSourceOf(instance, requestId);
        return { status: 201, json: await approveSession(instance, caller, { challenge: body.challenge, source }) };
      },
    }),
    route({
      operationId: 'getConsoleCaller',
      method: 'get',
      path: '/api/v1/console/caller',
      tag: TAG,
      summary: 'Who reads through this session',
      access: { persons: 'any' },
      console: true,
      answers: {
        200: {
          description: 'the person',
          schema: z.object({
            id: z.string(),
            roles: z.array(z.object({ role: z.string(), region: z.string().optional() })),
          }),
        },
      },
      handle({ caller }) {
        const roles = caller.type === 'person' ? caller.roles : [];
        const shown = roles.map(({ role, region }) => ({ role, ...(region === undefined ? {} : { region }) }));
        return Promise.resolve({ status: 200, json: { id: 'id' in caller ? caller.id : '', roles: shown } });
      },
    }),
  ];
}
