import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PROBLEMS } from '../../src/contract/problems.ts';
import { type Injected, injected } from './support/port.ts';

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: unknown;
  readonly responses: Readonly<
    Record<string, { readonly description: string; readonly content: Readonly<Record<string, unknown>> }>
  >;
}

interface Document {
  readonly openapi: string;
  readonly info: Readonly<Record<string, string>>;
  readonly tags: readonly { readonly name: string }[];
  readonly components: { readonly securitySchemes: Readonly<Record<string, unknown>> };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

describe('the OpenAPI document', () => {
  let port: Injected;
  let document: Document;
  let operations: readonly (readonly [string, Operation])[];
  beforeEach(async () => {
    port = await injected({ version: '1.2.3' });
    document = JSON.parse((await port.ask('GET', '/openapi.json')).body);
    operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const),
    );
  });
  afterEach(async () => {
    await port.app.close();
  });

  it('is OpenAPI 3.1 with a title, the version of the daemon and both security schemes', () => {
    expect(document.openapi).toBe('3.1.0');
    expect(document.info).toMatchObject({ title: 'Reveille', version: '1.2.3' });
    for (const scheme of ['admin', 'agent'])
      expect(document.components.securitySchemes[scheme]).toMatchObject({ type: 'http', scheme: 'bearer' });
  });

  it('has every call that is served, and nothing else; path access is told of in words', () => {
    const served = port.paths.all
      .filter(({ url }) => !url.startsWith('/agents/'))
      .flatMap(({ url, methods }) => methods.map((method) => `${method} ${url.replace(/:([a-z]+)/g, '{$1}')}`))
      .filter((call) => !call.startsWith('HEAD '));
    expect(operations.map(([call]) => call).sort()).toEqual(served.sort());
    expect(document.info['description']).toContain('/agents/{name}/...');
  });

  it('every call has a summary, one tag that is explained, an id of its own, and who may make it', () => {
    const tags = document.tags.map(({ name }) => name);
    for (const [call, { summary, tags: own }] of operations) {
      expect(summary.length, call).toBeGreaterThan(8);
      expect(own, call).toEqual([expect.toSatisfy((tag: string) => tags.includes(tag))]);
    }
    expect(new Set(operations.map(([, { operationId }]) => operationId)).size).toBe(operations.length);
    for (const [call, { security }] of operations) {
      const path = call.replace(/^[A-Z]+ /, '');
      const expected = path.startsWith('/api/') ? [{ agent: [] }, { admin: [] }] : [{ admin: [] }];
      expect(security, call).toEqual(['/healthz', '/readyz', '/metrics'].includes(path) ? [] : expected);
    }
  });

  it('every path parameter is described, and a call that takes a body says so', () => {
    for (const [call, { parameters = [], requestBody }] of operations) {
      const inPath = parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name);
      expect(inPath, call).toEqual([...call.matchAll(/\{([a-z]+)\}/g)].map(([, name]) => name));
      expect(requestBody !== undefined, call).toBe(
        /^(?:POST \/admin\/agents|PUT \/admin\/agents\/\{name\}\/override|POST \/api\/services|POST \/api\/self\/scale|PUT \/api\/self\/busy)$/.test(
          call,
        ),
      );
    }
  });

  it('every call has a good answer, and every bad one is a problem of the table under its own status', () => {
    for (const [call, { responses }] of operations) {
      const good = Object.keys(responses).filter((status) => status.startsWith('2'));
      expect(good.length, call).toBeGreaterThan(0);
      for (const [status, { description, content }] of Object.entries(responses)) {
        if (status.startsWith('2')) continue;
        expect(content, call).toEqual({ 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } });
        const codes = [...description.matchAll(/`([a-z-]+)`/g)].map(([, code]) => code as keyof typeof PROBLEMS);
        expect(codes.length, call).toBeGreaterThan(0);
        for (const code of codes) expect(PROBLEMS[code].status, `${call}: ${code}`).toBe(Number(status));
      }
      expect('401' in responses, call).toBe(!/ \/(?:healthz|readyz)$/.test(call));
    }
  });

  it('every reference in it leads somewhere', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]*)"/g)].map(([, reference]) => reference ?? '');
    expect(references.length).toBeGreaterThan(0);
    for (const reference of references) {
      const found = reference
        .replace(/^#\//, '')
        .split('/')
        .reduce<unknown>((place, key) => (place as Readonly<Record<string, unknown>> | undefined)?.[key], document);
      expect(found, reference).toBeTypeOf('object');
    }
  });
});
