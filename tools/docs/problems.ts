import { AGENT_PROBLEMS, EXIT, PROBLEMS, problemBody } from '../../src/contract/problems.ts';
import { type Page, code, madeFrom, paragraphs, table } from './page.ts';

/** docs/problems.md: every way of saying no, by status, with what to do about it. */
export const problemsPage: Page = {
  file: 'problems.md',
  render: () =>
    paragraphs(
      '# Problems',
      madeFrom('src/contract/problems.ts'),
      INTRODUCTION,
      `\`\`\`json\n${JSON.stringify(problemBody('unknown-host', '0b9f3c1e'), null, 2)}\n\`\`\``,
      '## Answers',
      table(
        ['status', 'code', 'what it means', 'what the caller does', 'what the operator does'],
        Object.entries(PROBLEMS)
          .sort(([a, { status: one }], [b, { status: other }]) => one - other || (a < b ? -1 : 1))
          .map(([name, { status, title, user, operator }]) => [String(status), code(name), `${title}.`, user, operator]),
      ),
      '## What can be wrong with an agent',
      'Shown as `problem` with the agent in `reveille agent <name>` and in the API. It is never a reply of its own.',
      table(
        ['code', 'what it means', 'what the operator does'],
        Object.entries(AGENT_PROBLEMS).map(([name, { title, operator }]) => [code(name), `${title}.`, operator]),
      ),
      '## Exit codes of `reveille`',
      table(
        ['code', 'what it means'],
        Object.entries(EXIT).map(([name, number]) => [String(number), EXITS[name as keyof typeof EXIT]]),
      ),
    ),
};

const INTRODUCTION = `When Reveille itself says no, the body is \`application/problem+json\` (RFC 9457). \`type\` ends in the code, \`instance\` is the
request id, which is also in the \`X-Request-Id\` header and in the log.`;

const EXITS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: 'Done.',
  failed: 'Refused or failed.',
  usage: 'The command line is wrong.',
  unreachable: 'The daemon cannot be reached.',
  violation: 'The daemon found a mistake of its own and ended. Report the fatal line of the log.',
  stateDirInUse: 'Another daemon holds the state_dir. Nothing was touched.',
  badConfig: 'The config file has mistakes; each is on stderr.',
};
