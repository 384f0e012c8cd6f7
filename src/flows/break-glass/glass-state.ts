/** Whether the glass is broken, as everybody is told: known to every answer of the service without asking each time. */
import { BREAK_GLASS_REVIEWERS, REVIEW_SECONDS, sessionEnd, sessionLasts } from '../../domain/break-glass.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../instance.ts';
import type { Reader } from '../ports/database.ts';

export interface GlassState {
  /** The session that lasts. */
  readonly open?: { readonly session: string; readonly until: Date };
  /** Sessions that ended and that two auditors have not reviewed yet. */
  readonly unreviewed: readonly { readonly session: string; readonly due: Date }[];
  readonly issuancePaused: boolean;
}

/** For so long what was read last is good enough. */
const REMEMBERED_MS = 1000;

/** The state as the database holds it at `at`. */
async function readGlassState(reader: Reader, at: Date): Promise<GlassState> {
  const sessions = await reader.breakGlass.sessions();
  const open = sessions.find((session) => sessionLasts(session, at));
  const unreviewed: { session: string; due: Date }[] = [];
  for (const session of sessions) {
    const end = sessionEnd(session, at);
    if (end === undefined || (await reader.breakGlass.reviews(session.id)).length >= BREAK_GLASS_REVIEWERS) continue;
    unreviewed.push({ session: session.id, due: new Date(end.getTime() + REVIEW_SECONDS * 1000) });
  }
  return {
    ...(open === undefined ? {} : { open: { session: open.id, until: open.expiresAt } }),
    unreviewed,
    issuancePaused: (await reader.breakGlass.pause()) !== undefined,
  };
}

/** Reads the state at most once a second; while the database is away, what was last known holds. */
export class GlassSight {
  #state: GlassState = { unreviewed: [], issuancePaused: false };
  #readAt = Number.NEGATIVE_INFINITY;
  readonly #ports: Pick<Instance, 'database' | 'clock'>;

  constructor(ports: Pick<Instance, 'database' | 'clock'>) {
    this.#ports = ports;
  }

  async state(): Promise<GlassState> {
    const now = this.#ports.clock.now();
    if (Math.abs(now.getTime() - this.#readAt) < REMEMBERED_MS) return this.#state;
    this.#readAt = now.getTime();
    try {
      this.#state = await this.#ports.database.read((reader) => readGlassState(reader, now));
    } catch (error) {
      if (!(error instanceof KmcError)) throw error;
    }
    return this.#state;
  }

  /** Forgets what was read: something changed here. */
  forget(): void {
    this.#readAt = Number.NEGATIVE_INFINITY;
  }
}
