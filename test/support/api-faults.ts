import type { ServerResponse } from 'node:http';
import { type ApiCall, CALLS, type CallName } from '../../src/swarm/calls.ts';

/**
 * What may go wrong with one answer of the Engine API. The stub of the unit tests and the relay in front of a real engine
 * both answer so, so that what is shown with the one is shown with the other.
 */
export type Fault =
  | { readonly kind: 'answer'; readonly status: number; readonly text: string }
  /** Accepted, and never answered. */
  | { readonly kind: 'hang' }
  /** The head and the beginning of a body, and nothing after it. */
  | { readonly kind: 'stall' }
  /** The connection is cut before anything was answered. */
  | { readonly kind: 'reset' }
  /** The head and half of a body, and then the connection is cut. */
  | { readonly kind: 'half' }
  | { readonly kind: 'redirect'; readonly to: string }
  | { readonly kind: 'endless' };

/** As the engine puts it. */
export const refusal = (status: number, message: string): Fault => ({
  kind: 'answer',
  status,
  text: `${JSON.stringify({ message })}\n`,
});

export function misbehave(response: ServerResponse, fault: Fault): void {
  switch (fault.kind) {
    case 'answer':
      response.writeHead(fault.status, { 'content-type': 'application/json' }).end(fault.text);
      return;
    case 'hang':
      return;
    case 'stall':
      response.writeHead(200, { 'content-type': 'application/json' }).write('[{"ID":');
      return;
    case 'reset':
      response.destroy();
      return;
    case 'half':
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
      response.write('[{"ID":"', () => response.destroy());
      return;
    case 'redirect':
      response.writeHead(301, { location: fault.to }).end();
      return;
    case 'endless':
      response.writeHead(200, { 'content-type': 'application/json' });
      pour(response);
  }
}

/** As fast as it is taken, until whoever takes it has had enough. */
function pour(response: ServerResponse): void {
  if (response.destroyed) return;
  response.write(' '.repeat(1024 * 1024), () => pour(response));
}

const PATTERNS = (Object.entries(CALLS) as (readonly [CallName, ApiCall])[]).map(([name, { method, path }]) => ({
  name,
  method,
  pattern: new RegExp(`^(?:/v[\\d.]+)?${path.replaceAll('{}', '[^/]+')}$`),
}));

/** Which call of the table it is; null for one that is not in it. */
export function callOf(method: string, url: string): CallName | null {
  const path = url.split('?')[0] ?? '';
  return PATTERNS.find((each) => each.method === method && each.pattern.test(path))?.name ?? null;
}
