/** Facts of one log line. Tokens never are among them. */
export type Facts = Readonly<Record<string, unknown>>;

/** Structured log. `message` is a constant sentence that can be searched for; what varies goes into `facts`. */
export interface Log {
  debug(message: string, facts?: Facts): void;
  info(message: string, facts?: Facts): void;
  warn(message: string, facts?: Facts): void;
  error(message: string, facts?: Facts): void;
  fatal(message: string, facts?: Facts): void;
  /** A log whose every line carries `facts` too. */
  with(facts: Facts): Log;
}
