import { describe, expect, test } from 'vitest';
import { complaintLine } from '../../src/config/complaint.ts';
import { agentFromBody } from '../../src/config/made-agent.ts';
import { configFromText } from '../../src/config/load.ts';

const AGENT = 'hostname: hello.localhost, process: { command: [node] }';
const ENV = { METHOD: 'PUT', RANGE: 'nowhere' };

function complaintsOf(text: string): string[] {
  const result = configFromText(text, 'o.yaml', ENV);
  return result.ok ? [] : result.failure.map((one) => complaintLine('o.yaml', one));
}

function configOf(text: string) {
  const result = configFromText(text, 'o.yaml', ENV);
  if (!result.ok) throw new Error(JSON.stringify(result.failure));
  return result.value.config;
}

const REGEX = 'must be a regular expression such as "bot|crawler"';
const PATH = 'must be a path such as /robots.txt, or the beginning of one such as /probe/*';
const METHOD = 'must be a method such as GET, HEAD or POST';

describe('ignore and wake_limits', () => {
  test('every mistake in rules is told at once, each with its place and what to write instead', () => {
    const text = `ignore:
  defaults: 1
  rules:
    - {}
    - { path: robots.txt, method: get }
    - { path: ["/a?b", "/a*b", "/a b"], method: [GET, TRACE, FOO], user_agent: "(?=x)" }
    - { path: "/*" }
    - { user_agent: "", header: { name: "X Y", value: "(a)\\\\1" }, cidr: 10.0.0.0/99 }
    - { cidr: [], header: { value: x } }
    - { method: 5, answer: { status: 100, body: [] } }
    - { user_agent: "(a+)+{2}", answer: { body: hi } }
    - { user_agent: "(a{100}){100}", answer: { status: 600, bodi: hi } }
    - nope
    - { header: { name: X, value: .* }, cidr: "\${RANGE}" }
    - { user_agent: bot, answer: { status: 200, body: "${'ä'.repeat(2049)}" } }
agents:
  hello: { ${AGENT}, ignore: { rules: [{ user_agent: "(" }, {}] } }
`;
    expect(complaintsOf(text)).toEqual([
      'o.yaml:2:13: ignore.defaults must be true or false, not 1',
      'o.yaml:4:7: ignore.rules[0] would fit every request; say which with path, method, user_agent, header, cidr',
      `o.yaml:5:15: ignore.rules[1].path ${PATH}, not "robots.txt": it does not begin with /`,
      `o.yaml:5:35: ignore.rules[1].method ${METHOD}, not "get": it must be written in capitals`,
      `o.yaml:6:16: ignore.rules[2].path[0] ${PATH}, not "/a?b": it has a query or a fragment, and paths are compared without`,
      `o.yaml:6:24: ignore.rules[2].path[1] ${PATH}, not "/a*b": it has a * that is not at its end`,
      `o.yaml:6:32: ignore.rules[2].path[2] ${PATH}, not "/a b": it has characters that are percent-encoded in a request`,
      `o.yaml:6:55: ignore.rules[2].method[1] ${METHOD}, not "TRACE": it is never served`,
      `o.yaml:6:62: ignore.rules[2].method[2] ${METHOD}, not "FOO": it is not a method that is known here`,
      `o.yaml:6:80: ignore.rules[2].user_agent ${REGEX}, not "(?=x)": it looks ahead or behind, names a group or sets a flag with (?; only ( and (?: are taken`,
      'o.yaml:7:15: ignore.rules[3].path /* alone would fit every request; add method, user_agent, header, cidr or a narrower path',
      `o.yaml:8:21: ignore.rules[4].user_agent ${REGEX}, not "": it fits every text, even an empty one; leave it out, or say what must be there`,
      'o.yaml:8:41: ignore.rules[4].header.name must be the name of a header line such as X-Purpose, not "X Y"',
      `o.yaml:8:55: ignore.rules[4].header.value ${REGEX} or null, not "(a)\\\\1": it refers back to a group with \\1; write out what is meant`,
      'o.yaml:8:73: ignore.rules[4].cidr must be an address range such as 10.0.0.0/8, or the word loopback or private, not "10.0.0.0/99"',
      'o.yaml:9:15: ignore.rules[5].cidr must be a list of 1 to 100, not a list of 0',
      'o.yaml:9:19: ignore.rules[5].header.name is missing (A header line that the agent is given)',
      `o.yaml:10:17: ignore.rules[6].method ${METHOD}, not 5`,
      'o.yaml:10:38: ignore.rules[6].answer.status must be a whole number from 200 to 599, not 100',
      'o.yaml:10:49: ignore.rules[6].answer.body must be text of at most 4 KB, not a list',
      `o.yaml:11:21: ignore.rules[7].user_agent ${REGEX}, not "(a+)+{2}": it repeats a repetition; put the inner one in brackets, as in (a+)*`,
      'o.yaml:11:49: ignore.rules[7].answer.body cannot be sent: an answer with status 204 has no body; write `status: 200`, or leave the body out',
      `o.yaml:12:21: ignore.rules[8].user_agent ${REGEX}, not "(a{100}){100}": it takes 10000 steps where 1000 are allowed; repeat less, or make two rules of it`,
      'o.yaml:12:56: ignore.rules[8].answer.status must be a whole number from 200 to 599, not 600',
      'o.yaml:12:61: ignore.rules[8].answer.bodi is not a known key; the nearest known one is body',
      'o.yaml:13:7: ignore.rules[9] must be a mapping, not "nope"',
      `o.yaml:14:35: ignore.rules[10].header.value ${REGEX} or null, not ".*": it fits every text, even an empty one; leave it out, or say what must be there`,
      'o.yaml:14:47: ignore.rules[10].cidr must be an address range such as 10.0.0.0/8, or the word loopback or private, not what ${RANGE} holds',
      `o.yaml:15:55: ignore.rules[11].answer.body must be text of at most 4 KB, not "${'ä'.repeat(80)}...": it has 4098 bytes`,
      `o.yaml:17:101: agents.hello.ignore.rules[0].user_agent ${REGEX}, not "(": it does not close a group; write \\( for the character itself`,
      'o.yaml:17:108: agents.hello.ignore.rules[1] would fit every request; say which with path, method, user_agent, header, cidr',
    ]);
  });

  test('a list of rules has an end', () => {
    expect(complaintsOf(`ignore: { rules: [${'{ path: /x },'.repeat(101)}] }\nagents: {}\n`)).toEqual([
      'o.yaml:1:18: ignore.rules must be a list of 0 to 100, not a list of 101',
    ]);
  });

  test('limits of wakes that cannot be meant are refused', () => {
    const rows: readonly (readonly [string, readonly string[]])[] = [
      ['{ total: 0/m }', ['1:23: wake_limits.total RATE, not "0/m": it would refuse every wake; write null for no limit']],
      ['{ per_client: 60 }', ['1:28: wake_limits.per_client RATE, not 60']],
      ['{ per_client: 5/d }', ['1:28: wake_limits.per_client RATE, not "5/d"']],
      [
        '{ per_client: 700/m }',
        [
          '1:28: wake_limits.per_client must be at most wake_limits.total, which is 600/m, not "700/m"; raise the total, or lower this',
        ],
      ],
      ['{ total: 10/m }', []],
      ['{ per_client: 700/m, total: null }', []],
    ];
    const RATE = 'must be a number per second, minute or hour such as 5/s, 60/m or 1000/h or null';
    for (const [written, said] of rows)
      expect(complaintsOf(`wake_limits: ${written}\nagents: {}\n`), written).toEqual(
        said.map((line) => `o.yaml:${line.replace('RATE', RATE)}`),
      );
  });

  test('where a list is taken one value may stand alone, also out of the environment', () => {
    const { agents, ignore, wake_limits } = configOf(
      `ignore: { rules: [{ method: "\${METHOD}", cidr: private }] }
wake_limits: { per_client: 5/s, total: null }
agents:
  hello: { ${AGENT}, ignore: { defaults: false, rules: [{ path: /a*, header: { name: X }, answer: { status: 200, body: ok } }] } }
`,
    );
    expect(ignore).toEqual({ defaults: true, rules: [{ method: ['PUT'], cidr: ['private'] }] });
    expect(wake_limits).toEqual({ per_client: { count: 5, per: 1000 }, total: null });
    expect(agents['hello']?.ignore).toEqual({
      defaults: false,
      rules: [{ path: ['/a*'], header: { name: 'X', value: null }, answer: { status: 200, body: 'ok' } }],
    });
  });

  test('an agent made by API has no rules of its own, and stands under those of the top level', () => {
    const config = configOf('ignore: { rules: [{ path: /x }] }\nwake_limits: { per_client: 5/s }\nagents: {}\n');
    const made = agentFromBody(
      { name: 'a', hostname: 'a.localhost', backend: 'http://127.0.0.1:1', policy: 'unmanaged' },
      config,
      '/',
    );
    expect(made.ok && made.value.agent.ignore).toEqual({ defaults: null, rules: [] });
  });
});
