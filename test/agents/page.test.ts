import { createHash } from 'node:crypto';
import Fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { idleTimeoutOf } from '../../agents/hello/idle-timeout.ts';
import { inScript, servePage } from '../../agents/hello/page.ts';
import type { Life } from '../../agents/hello/life.ts';
import type { Agent } from '../../agents/kit/agent.ts';
import type { SelfView } from '../../src/contract/api.ts';
import { SELF } from './stub-daemon.ts';

const HOSTILE = '</script><script>alert(1)</script><!-- $& ';

async function pageOf(view: unknown): Promise<{ readonly html: string; readonly policy: string }> {
  const http = Fastify();
  servePage({ http } as unknown as Agent, { view: async () => view } as unknown as Life);
  const response = await http.inject('/');
  return { html: response.body, policy: String(response.headers['content-security-policy']) };
}

describe('the page of hello', () => {
  it('allows exactly its own style and script, by hash', async () => {
    const { html, policy } = await pageOf({});
    const hashOf = (text: string | undefined) => `'sha256-${createHash('sha256').update(text!).digest('base64')}'`;
    expect(policy).toContain(`style-src ${hashOf(/<style>([^]*?)<\/style>/.exec(html)?.[1])};`);
    expect(policy).toContain(`script-src ${hashOf(/<script type="module">([^]*?)<\/script>/.exec(html)?.[1])};`);
    expect(policy).toMatch(/^default-src 'none'; /);
    expect(policy).not.toMatch(/unsafe|\*|https?:/);
  });

  it('loads nothing from elsewhere and has no inline handlers or styles, which the policy would stop', async () => {
    const { html } = await pageOf({});
    expect(html).not.toMatch(/\s(?:src|srcset)=|url\(|@import|\son[a-z]+="|\sstyle="/);
    expect(
      [...html.matchAll(/\shref="([^"]*)"/g)].map(([, href]) => href).filter((href) => !/^(?:data:|[a-z])/.test(href!)),
    ).toEqual([]);
    expect(html).not.toMatch(/\shref="https?:/);
  });

  it('carries what the daemon says so that it cannot become markup, and comes out as it went in', async () => {
    const view = { agent: HOSTILE };
    const { html } = await pageOf(view);
    expect(html).not.toContain('alert(1)</script>');
    expect(JSON.parse(/<script type="application\/json" id="life">([^]*?)<\/script>/.exec(html)![1]!)).toEqual(view);
    expect(JSON.parse(inScript(HOSTILE))).toBe(HOSTILE);
  });

  it('puts what it is told into the document as text only', async () => {
    const { html } = await pageOf({});
    expect(html).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(/);
  });

  it('has every element that its script asks for', async () => {
    const { html } = await pageOf({});
    const ids = new Set([...html.matchAll(/\sid="([a-z-]+)"/g)].map(([, id]) => id));
    const asked = [...html.matchAll(/(?<!\.)\b(?:byId|say|toggle)\('([a-z-]+)'/g)].map(([, id]) => id);
    expect(asked.length).toBeGreaterThan(20);
    expect(asked.filter((id) => !ids.has(id))).toEqual([]);
  });
});

describe('the idle timeout, as an agent can observe it', () => {
  const self = (changes: Partial<SelfView>): SelfView => ({ ...(SELF as SelfView), ...changes });

  it('is counted from the last activity', () => {
    expect(idleTimeoutOf(self({}))).toBe(60_000);
  });

  it('is counted from getting ready where nothing has happened since', () => {
    const since = '2026-01-01T00:00:20.000Z';
    expect(idleTimeoutOf(self({ since, sleeps_at: '2026-01-01T00:01:20.000Z' }))).toBe(60_000);
    expect(idleTimeoutOf(self({ since, last_activity: null, sleeps_at: '2026-01-01T00:01:20.000Z' }))).toBe(60_000);
  });

  it('is not known while there is work, nor in any state but ready', () => {
    expect(idleTimeoutOf(self({ sleeps_at: null }))).toBeNull();
    expect(idleTimeoutOf(self({ state: 'draining' }))).toBeNull();
    expect(idleTimeoutOf(self({ sleeps_at: SELF.last_activity }))).toBeNull();
  });
});
