import { EXIT } from '../contract/problems.ts';
import { printable } from '../std/printable.ts';
import { after, millisOf } from '../std/time.ts';
import { openStream } from './admin-client.ts';
import { findDaemon } from './daemon.ts';
import { EventStreamReader } from './event-stream.ts';
import type { Invocation } from './command.ts';
import { failure, json, report, type Terminal } from './terminal.ts';

/** The daemon sends a comment every 15 s; without any for this long it is gone. */
const SILENCE = millisOf(60_000);

/** Follows /admin/events until it is interrupted (exit 0) or the stream ends by itself (exit 69). */
export async function events(invocation: Invocation, terminal: Terminal): Promise<number> {
  const { since = '' } = invocation.options;
  if (typeof since !== 'string' || !/^[0-9]{0,15}$/.test(since))
    return report(terminal, failure(EXIT.usage, '--since must be the id of an event: a whole number'));
  const daemon = findDaemon(invocation, terminal);
  if (!daemon.ok) return report(terminal, daemon.failure);
  const interrupted = new AbortController();
  const silent = new AbortController();
  const wasInterrupted = (): boolean => interrupted.signal.aborted;
  terminal.onInterrupt(() => interrupted.abort());
  const stop = AbortSignal.any([interrupted.signal, silent.signal]);
  const stream = await openStream(
    daemon.value,
    terminal.clock,
    '/admin/events',
    since === '' ? {} : { 'last-event-id': since },
    stop,
  );
  if (wasInterrupted()) return EXIT.ok;
  if (!stream.ok) return report(terminal, stream.failure);

  const { clock } = terminal;
  const arm = () => clock.alarm(after(clock.now(), SILENCE), () => silent.abort());
  const reader = new EventStreamReader();
  let alarm = arm();
  let why = 'the daemon ended the stream of events';
  try {
    for await (const chunk of stream.value) {
      alarm.cancel();
      alarm = arm();
      const complete = reader.push(chunk);
      if (complete === null) {
        why = 'an event is larger than 1 MiB';
        break;
      }
      for (const { data } of complete) print(data, invocation, terminal);
    }
  } catch {
    why = silent.signal.aborted ? `nothing has come for ${SILENCE / 1000} s` : 'the connection to the daemon broke off';
  } finally {
    alarm.cancel();
  }
  if (wasInterrupted()) return EXIT.ok;
  const { lastId } = reader;
  const advice = lastId === '' ? [] : [`Go on from here: reveille events --since ${printable(lastId)}`];
  return report(terminal, failure(EXIT.unreachable, why, ...advice));
}

/** What comes first in a line, and is not repeated among the rest. */
const COLUMNS = ['id', 'at', 'type', 'agent', 'from', 'to'];

function print(data: string, { options }: Invocation, terminal: Terminal): void {
  const event = objectOf(data);
  if (event === null) terminal.err(printable(`not an event: ${data.slice(0, 200)}`));
  else terminal.out(options.json === true ? json(event) : lineOf(event));
}

function lineOf(event: Readonly<Record<string, unknown>>): string {
  const text = (key: string): string => (typeof event[key] === 'string' ? event[key] : '');
  const change = 'from' in event && 'to' in event ? `${text('from')} -> ${text('to')}` : '';
  const facts = Object.entries(event)
    .filter(([key]) => !COLUMNS.includes(key))
    .map(([key, value]) => `${key}=${typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)}`);
  return printable([text('at'), text('type'), text('agent'), change, ...facts].filter((part) => part !== '').join(' '));
}

function objectOf(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
