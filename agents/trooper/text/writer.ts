import { randomBytes } from 'node:crypto';
import type { FastifyBaseLogger } from 'fastify';
import type { Outcome } from '../../../src/std/outcome.ts';
import type { GeneratedText, TextSource } from '../../world/values.ts';
import type { Settings } from '../settings.ts';
import { haikuIn, threeWordsIn } from './cleaning.ts';
import { fallbackHaiku, fallbackWords } from './fallback.ts';
import { askOllama } from './ollama.ts';
import { askPicoclaw } from './picoclaw.ts';
import { haikuPrompt, wordsPrompt } from './prompts.ts';

/**
 * Where a trooper's texts come from: PicoClaw, else Ollama, else a stock of its own. One text is written at a time, so that a
 * trooper never has two model processes.
 */
export interface Writer {
  /** At most 32 s. Null: the trooper stops. */
  write(kind: Kind, stopping: AbortSignal): Promise<GeneratedText | null>;
}

export interface Kind {
  readonly roundMs: number;
  readonly picoclawMs: number;
  readonly ollamaMs: number;
  readonly prompt: (nowMs: number, nonce: string) => string;
  /** Null: what the model wrote does not fit. */
  readonly cleaned: (output: string) => string | null;
  readonly fallback: (taskId: string, round: number) => string;
}

type Ask = (kind: Kind, prompt: string, stopping: AbortSignal) => Promise<Outcome<string, string>>;

export const THREE_WORDS: Kind = {
  roundMs: 30_000,
  picoclawMs: 12_000,
  ollamaMs: 8_000,
  prompt: wordsPrompt,
  cleaned: threeWordsIn,
  fallback: fallbackWords,
};

export const HAIKU: Kind = {
  roundMs: 120_000,
  picoclawMs: 20_000,
  ollamaMs: 12_000,
  prompt: haikuPrompt,
  cleaned: haikuIn,
  fallback: fallbackHaiku,
};

/** What `kind` has in stock for this trooper now. */
export const fromStock = (kind: Kind, taskId: string, source: TextSource, nowMs: number): GeneratedText => ({
  text: kind.fallback(taskId, Math.floor(nowMs / kind.roundMs)),
  source,
  at: new Date(nowMs).toISOString(),
});

export function createWriter(
  { picoclaw, ollama }: Pick<Settings, 'picoclaw' | 'ollama'>,
  taskId: string,
  log: Pick<FastifyBaseLogger, 'info'>,
): Writer {
  const models: (readonly [TextSource, Ask])[] = [];
  if (picoclaw !== null) {
    models.push(['picoclaw', ({ picoclawMs }, prompt, stopping) => askPicoclaw(picoclaw, prompt, picoclawMs, stopping)]);
  }
  if (ollama !== null) {
    models.push(['ollama', ({ ollamaMs }, prompt, stopping) => askOllama(ollama, prompt, ollamaMs, stopping)]);
  }
  const said = new Map<TextSource, string | null>();
  let turn: Promise<unknown> = Promise.resolve();

  /** Once for each reason, and once when it works again. */
  const say = (source: TextSource, reason: string | null): void => {
    if (said.get(source) === reason || (reason === null && !said.has(source))) return;
    said.set(source, reason);
    if (reason === null) log.info({ source }, 'source of texts works again');
    else log.info({ source, reason }, 'source of texts has none');
  };
  const accepted = (source: TextSource, kind: Kind, answer: Outcome<string, string>): GeneratedText | null => {
    const text = answer.ok ? kind.cleaned(answer.value) : null;
    say(source, text !== null ? null : answer.ok ? 'what it wrote is not what was asked for' : answer.failure);
    return text === null ? null : { text, source, at: new Date().toISOString() };
  };
  const write = async (kind: Kind, stopping: AbortSignal): Promise<GeneratedText | null> => {
    const prompt = kind.prompt(Date.now(), randomBytes(4).toString('hex'));
    for (const [source, ask] of models) {
      const answer = await ask(kind, prompt, stopping);
      if (stopping.aborted) return null;
      const text = accepted(source, kind, answer);
      if (text !== null) return text;
    }
    return fromStock(kind, taskId, 'fallback', Date.now());
  };

  return {
    write: (kind, stopping) => {
      const written = turn.then(() => write(kind, stopping));
      turn = written.catch(() => undefined);
      return written;
    },
  };
}
