import { describe, expect, it } from 'vitest';
import { askOllama } from '../../../agents/trooper/text/ollama.ts';
import { freePort } from '../../support/memcached.ts';
import { FakeOllama, generated } from '../../support/fake-ollama.ts';

const PLENTY_MS = 15_000;
const never = new AbortController().signal;

describe('Ollama', () => {
  it('is asked for one whole answer of the model, and its response is taken as it is', async () => {
    await using ollama = await FakeOllama.start((response) => generated(response, ' Grim, lantern!\nholds '));
    const answer = await askOllama({ url: ollama.url, model: 'smollm2:135m' }, 'three words', PLENTY_MS, never);
    expect(answer).toEqual({ ok: true, value: ' Grim, lantern!\nholds ' });
    expect(ollama.asked).toEqual([
      { method: 'POST', path: '/api/generate', body: { model: 'smollm2:135m', prompt: 'three words', stream: false } },
    ]);
  });

  it.each([
    ['it answers 404', 404, '{"error":"model not found"}'],
    ['it answers 500', 500, '{"response":"one two three"}'],
    ['its answer is not what Ollama answers', 200, '{"response":'],
    ['its answer is not what Ollama answers', 200, '{"response":["one two three"]}'],
    ['its answer is not what Ollama answers', 200, '<script>alert(1)</script>'],
    ['its answer is not what Ollama answers', 200, ''],
    ['it wrote too much', 200, JSON.stringify({ response: 'x'.repeat(65_536) })],
  ])('has no answer when %s (%i)', async (failure, status, body) => {
    await using ollama = await FakeOllama.start((response) => response.writeHead(status).end(body));
    expect(await askOllama({ url: ollama.url, model: 'm' }, 'x', PLENTY_MS, never)).toEqual({ ok: false, failure });
  });

  it('is let go of as soon as it has written too much, though it goes on for ever', async () => {
    let gone: () => void = () => undefined;
    const closed = new Promise<void>((resolve) => (gone = resolve));
    await using ollama = await FakeOllama.start((response) => {
      response.on('close', gone);
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(16_384)));
        response.once('drain', more);
      };
      more();
    });
    const answer = await askOllama({ url: ollama.url, model: 'm' }, 'x', PLENTY_MS, never);
    expect(answer).toEqual({ ok: false, failure: 'it wrote too much' });
    await closed;
  });

  it('is not followed to where it redirects', async () => {
    await using other = await FakeOllama.start((response) => generated(response, 'one two three'));
    await using ollama = await FakeOllama.start((response) => response.writeHead(307, { location: other.url }).end());
    expect((await askOllama({ url: ollama.url, model: 'm' }, 'x', PLENTY_MS, never)).ok).toBe(false);
    expect(other.asked).toEqual([]);
  });

  it.each<[string, FakeOllama['answer']]>([
    ['says nothing', () => undefined],
    ['stops in the middle', (response) => void response.writeHead(200).write('{"response":"one')],
  ])('is not waited for when it %s', async (_name, answer) => {
    await using ollama = await FakeOllama.start(answer);
    expect(await askOllama({ url: ollama.url, model: 'm' }, 'x', 100, never)).toEqual({ ok: false, failure: 'it took too long' });
    const stopping = new AbortController();
    ollama.answer = (response, asked) => {
      answer(response, asked);
      stopping.abort();
    };
    expect(await askOllama({ url: ollama.url, model: 'm' }, 'x', PLENTY_MS, stopping.signal)).toEqual({
      ok: false,
      failure: 'the trooper stops',
    });
  });

  it('that is not there is said to be so', async () => {
    const url = `http://127.0.0.1:${await freePort()}/api/generate`;
    expect(await askOllama({ url, model: 'm' }, 'x', PLENTY_MS, never)).toEqual({
      ok: false,
      failure: 'it cannot be asked: ECONNREFUSED',
    });
  });
});
