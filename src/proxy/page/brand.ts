/** What an agent's waiting page shows of its own: `agents.*.page`, with the logo read. */
export interface Brand {
  readonly title: string;
  /** A `data:` URI, or null for none. */
  readonly logo: string | null;
  /** `#rgb` or `#rrggbb`. */
  readonly accent: string;
}
