import { events } from './events.ts';
import { check, serve, token, version } from './local.ts';
import type { Command } from './command.ts';
import { agent, agents, keep, reload, routes, sleep, status, wake } from './remote.ts';

/**
 * The commands. Help, the parser and docs/cli.md are made from this table, so that a command cannot exist in one of them only.
 */
const NAME = [{ name: 'name', required: true }] as const;
const local = { options: [], remote: false } as const;
const remote = { args: [], options: [], remote: true, uses: [] } as const;

export const COMMANDS: readonly Command[] = [
  {
    ...local,
    name: 'serve',
    args: [],
    uses: ['config'],
    summary: 'Run the daemon',
    details: [
      'Runs the daemon until SIGTERM or SIGINT. At start it prints the URLs to try, where the admin token is, and the engine.',
      'SIGHUP loads the config file again. Exits 75 when another daemon has its state_dir, 78 when the config file has mistakes.',
    ],
    examples: ['reveille serve', 'reveille serve --config /etc/reveille/orchestrator.yaml'],
    run: serve,
  },
  {
    ...local,
    name: 'check',
    args: [{ name: 'file', required: false }],
    uses: ['config', 'json'],
    summary: 'Look for mistakes in a config file',
    details: [
      'Says everything that is wrong with the file, each line as FILE:LINE:COLUMN: message. Nothing is started or changed.',
    ],
    examples: ['reveille check', 'reveille check /etc/reveille/orchestrator.yaml && kill -HUP "$PID"'],
    run: check,
  },
  {
    ...remote,
    name: 'status',
    summary: 'Show how the daemon is',
    details: [
      'How long the daemon is up, whether its engine answers, how many agents are awake, and whether the last reload went well.',
    ],
    examples: ['reveille status', 'reveille status --json'],
    run: status,
  },
  {
    ...remote,
    name: 'agents',
    summary: 'List the agents',
    details: [
      'One line for each agent: its state, its open requests and WebSockets, and when it will be put to sleep. Beside the state it',
      'says what is wrong with it, whether it has said that it is busy, and whether it is kept asleep or awake.',
    ],
    examples: ['reveille agents', 'reveille agents --json | jq -r \'.[] | select(.state == "ready") | .name\''],
    run: agents,
  },
  {
    ...remote,
    name: 'agent',
    args: NAME,
    summary: 'Show one agent',
    details: [
      'Everything the daemon knows about one agent: what is wrong with it if something is, what it says that it is busy with and',
      'until when, and since when it is kept asleep or awake.',
    ],
    examples: ['reveille agent kai'],
    run: agent,
  },
  {
    ...remote,
    name: 'wake',
    args: NAME,
    options: ['wait', 'timeout'],
    summary: 'Wake an on-demand agent',
    details: [
      'Orders a wake and comes back at once. With --wait it comes back when the agent is ready, or fails when it is not in time;',
      'the wake goes on all the same.',
    ],
    examples: ['reveille wake kai', 'reveille wake kai --wait --timeout 2m'],
    run: wake,
  },
  {
    ...remote,
    name: 'sleep',
    args: NAME,
    options: ['force'],
    summary: 'Put an on-demand agent to sleep',
    details: [
      'Orders a sleep and comes back at once. Open work is finished first; what is left at idle.drain_timeout keeps the agent awake.',
      'With --force open work is cut.',
    ],
    examples: ['reveille sleep kai', 'reveille sleep kai --force'],
    run: sleep,
  },
  {
    ...remote,
    name: 'keep',
    args: [...NAME, { name: 'state', required: false }],
    options: ['until', 'lift'],
    summary: 'Keep an on-demand agent asleep or awake',
    details: [
      'STATE is asleep or awake. Kept asleep, an agent is drained and put to sleep, and whoever calls is refused. Kept awake, it is',
      'woken, woken again when it fails, and neither sleeps nor gives way to another. This outlives restarts of the daemon, and ends',
      'at --until, with --lift, or with the agent. `reveille agent <name>` shows it.',
    ],
    examples: ['reveille keep kai asleep', 'reveille keep kai awake --until 8h', 'reveille keep kai --lift'],
    run: keep,
  },
  {
    ...remote,
    name: 'routes',
    summary: 'List which hostname reaches which agent',
    details: [
      'Static routes are what the config says (or an agent made through the API); registered ones were posted by the agents',
      'themselves and are gone when they expire or the agent sleeps.',
    ],
    examples: ['reveille routes'],
    run: routes,
  },
  {
    ...remote,
    name: 'events',
    options: ['since'],
    summary: 'Follow what happens',
    details: [
      'Prints every event from now on until ^C, one a line; with --json one JSON object a line. With --since it begins with those',
      'that came after an event, as far as the daemon keeps them; a line `missing` says which it does not. When the stream ends by',
      'itself, because the daemon shuts down or this reader was too slow, it exits 69 and says how to go on where it ended.',
    ],
    examples: ['reveille events', 'reveille events --since 0 --json | jq \'select(.type == "agent.ready")\''],
    run: events,
  },
  {
    ...remote,
    name: 'reload',
    summary: 'Load the config file again',
    details: [
      'The daemon reads its config file again and applies what differs. A file with mistakes changes nothing: every one of them is',
      'printed and the command exits 78. What takes effect only at the next start is listed as such.',
    ],
    examples: ['reveille check && reveille reload'],
    run: reload,
  },
  {
    ...local,
    name: 'token',
    args: [{ name: 'agent', required: true }],
    options: ['made-by-api'],
    uses: ['config', 'json'],
    summary: "Print an agent's token",
    details: [
      'Prints the bearer token by which the agent speaks to the internal port: the content of its token_file, else derived from the',
      'secret. No daemon is asked. Where there is no secret yet it is made, as the first start of the daemon would.',
    ],
    examples: ['reveille token kai', 'reveille token kai | docker secret create reveille_token -'],
    run: token,
  },
  {
    ...local,
    name: 'version',
    args: [],
    uses: ['json'],
    summary: 'Say which version this is',
    details: ['The version of Reveille, and of the Node.js that runs it.'],
    examples: ['reveille version'],
    run: version,
  },
];
