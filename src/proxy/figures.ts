import type { ProblemCode } from '../contract/problems.ts';
import type { Counter, Histogram, Metrics } from '../ports/metrics.ts';
import { assert } from '../std/assert.ts';
import type { Millis } from '../std/time.ts';

/** What the data plane counts. Series are looked up once per agent and held: a look-up by labels per request is dear. */
const CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const;

/** The series of one agent that the hot path moves, looked up once. */
export class AgentFigures {
  readonly bytesIn: Counter;
  readonly bytesOut: Counter;
  private readonly classes: readonly Counter[];
  private readonly requestSeconds: Histogram;
  private readonly upstreamSeconds: Histogram;
  private readonly metrics: Metrics;
  private readonly agent: string;

  constructor(metrics: Metrics, agent: string) {
    this.metrics = metrics;
    this.agent = agent;
    this.bytesIn = metrics.counter('proxied_bytes_total', { agent, direction: 'in' });
    this.bytesOut = metrics.counter('proxied_bytes_total', { agent, direction: 'out' });
    this.classes = CLASSES.map((name) => metrics.counter('requests_total', { agent, class: name }));
    this.requestSeconds = metrics.histogram('request_duration_seconds', { agent });
    this.upstreamSeconds = metrics.histogram('upstream_duration_seconds', { agent });
  }

  answered(status: number): void {
    const counter = this.classes[Math.floor(status / 100) - 1];
    assert(counter !== undefined, 'a status that is sent is between 100 and 599');
    counter.add(1);
  }

  ended(took: Millis): void {
    this.requestSeconds.observe(took / 1000);
  }

  upstreamAnswered(took: Millis): void {
    this.upstreamSeconds.observe(took / 1000);
  }

  /** Rare, so the series is looked up each time. */
  upstreamFailed(problem: ProblemCode): void {
    this.metrics.counter('upstream_errors_total', { agent: this.agent, problem }).add(1);
  }
}

/** Gauges of open work are the runtime's: it is the one that counts work. */
export class Figures {
  private readonly metrics: Metrics;
  private readonly agents = new Map<string, AgentFigures>();

  constructor(metrics: Metrics) {
    this.metrics = metrics;
  }

  of(agent: string): AgentFigures {
    let figures = this.agents.get(agent);
    if (figures === undefined) {
      figures = new AgentFigures(this.metrics, agent);
      this.agents.set(agent, figures);
    }
    return figures;
  }

  refused(problem: ProblemCode): void {
    this.metrics.counter('refused_total', { problem }).add(1);
  }

  /** The agent was removed, and its series dropped: do not move them again. */
  forget(agent: string): void {
    this.agents.delete(agent);
  }
}
