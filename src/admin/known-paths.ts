import type { Access } from './openapi.ts';

/**
 * Which methods a path has, to tell 405 from 404 (RFC 9110 section 15.5.6): Fastify's router looks among the routes of one
 * method only. Routes that answer 405 for every other method were the alternative; they would stand in the document and
 * miss the methods that Fastify does not know.
 */
export interface Known {
  /** As Fastify writes it: `/admin/agents/:name`, `/agents/:name/*`. */
  readonly url: string;
  readonly pattern: RegExp;
  readonly methods: readonly string[];
  readonly access: Access;
}

export class KnownPaths {
  private readonly known: Known[] = [];

  get all(): readonly Known[] {
    return this.known;
  }

  add(url: string, methods: string | readonly string[], access: Access): void {
    const pattern = url
      .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
      .replace(/:[A-Za-z]+/g, '[^/]+')
      .replace('*', '.*');
    this.known.push({ url, pattern: new RegExp(`^${pattern}$`), methods: [methods].flat(), access });
  }

  /** `target` with or without its query. No methods: nothing is there. */
  at(target: string): { readonly methods: readonly string[]; readonly open: boolean } {
    const path = target.split('?', 1)[0] ?? '';
    const here = this.known.filter(({ pattern }) => pattern.test(path));
    return {
      methods: [...new Set(here.flatMap(({ methods }) => methods))].sort(),
      open: here.some(({ access }) => access === 'open'),
    };
  }
}
