import { PROBLEMS, type ProblemCode } from '../../src/contract/problems.ts';

/**
 * Why a call to the daemon came to nothing.
 * - `refused`: the daemon said no. `code` is the problem's, null when the answer came from something in between.
 * - `unreachable`: no whole answer in time; the daemon may have carried the call out.
 * - `garbled`: an answer, but not one of the contract.
 */
export type DaemonErrorKind = 'refused' | 'unreachable' | 'garbled';

export class DaemonError extends Error {
  override readonly name = 'DaemonError';
  readonly kind: DaemonErrorKind;
  readonly code: ProblemCode | null;
  readonly status: number | null;

  constructor(kind: DaemonErrorKind, message: string, code: ProblemCode | null = null, status: number | null = null) {
    super(message);
    this.kind = kind;
    this.code = code;
    this.status = status;
  }

  /** The same call may succeed later without anybody changing anything. */
  get passing(): boolean {
    if (this.kind !== 'refused') return true;
    return (this.status ?? 0) >= 500 || this.status === 429 || this.code === 'agent-asleep';
  }
}

/** The error for a reply that is not a success: a problem (RFC 9457) where the body is one. */
export function refusal(status: number, body: unknown): DaemonError {
  const fields = typeof body === 'object' && body !== null ? (body as Readonly<Record<string, unknown>>) : {};
  const code = codeOf(fields['type']);
  const title = code === null ? `The daemon answered ${status}` : PROBLEMS[code].title;
  const detail = fields['detail'];
  return new DaemonError('refused', typeof detail === 'string' ? `${title}: ${detail}` : title, code, status);
}

function codeOf(type: unknown): ProblemCode | null {
  if (typeof type !== 'string') return null;
  const code = type.slice(type.lastIndexOf('/') + 1);
  return Object.hasOwn(PROBLEMS, code) ? (code as ProblemCode) : null;
}
