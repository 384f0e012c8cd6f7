/** How far long background work has come: it goes on there after a restart, in whatever process. */
export interface WorkCursorReader {
  /** Id of the last thing that was done; undefined before the first. */
  position(name: string): Promise<string | undefined>;
}

export interface WorkCursorWriter extends WorkCursorReader {
  set(name: string, position: string, at: Date): Promise<void>;
}
