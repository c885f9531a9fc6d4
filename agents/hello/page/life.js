// The page's script, in three files that are put into the page one after the other, as they stand: this one knows the state,
// paint.js shows it, work.js is what one can start. Everything that comes from the agent reaches the document as text, never
// as markup.

const byId = (id) => document.getElementById(id);
const say = (id, text) => {
  if (byId(id).textContent !== text) byId(id).textContent = text;
};
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const clock = (time) => new Date(time).toLocaleTimeString();
const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;

/** What each state is called here. */
const WORDS = {
  sleeping: 'Asleep',
  starting: 'Waking up',
  ready: 'Awake',
  draining: 'About to sleep',
  stopping: 'Falling asleep',
  degraded: 'Not well',
  running: 'Awake',
};
const AWAKE = new Set(['ready', 'running', 'draining']);
const CAUSES = { request: 'by a request', upgrade: 'by a WebSocket', api: 'through the API' };

let life = JSON.parse(byId('life').textContent);
/** Who answers is awake, even where the daemon did not say. */
const stateIn = (view) => view.self?.state ?? 'ready';
let state = stateIn(life);
/** Whether the daemon answers the health check for the agent. Otherwise asking would be a request like any other. */
let watching = life.daemon !== 'none';
/** Whether the last look was answered at all. */
let reachable = true;
/** When this page last asked something of the agent. Null: somebody else woke it, so nobody here knows. */
let quietSince = Date.now();
/** What this page keeps open, by name. */
const holding = new Map();

function note(text) {
  const item = document.createElement('li');
  const time = document.createElement('time');
  const what = document.createElement('span');
  time.textContent = clock(Date.now());
  what.textContent = text;
  item.append(time, what);
  byId('log').prepend(item);
  while (byId('log').children.length > 50) byId('log').lastChild.remove();
}

/** Marks that something is kept open, until the returned function is called. */
function hold(name, card) {
  holding.set(name, true);
  card?.classList.add('holding');
  paint();
  return () => {
    if (!holding.delete(name)) return;
    card?.classList.remove('holding');
    quietSince = Date.now();
    paint();
  };
}

/** A request to the agent. It counts as activity until its answer has ended. Null when nobody answered. */
async function ask(method, path, body) {
  const options = { method, cache: 'no-store' };
  if (body) Object.assign(options, { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
  try {
    const response = await fetch(path, options);
    const json = response.status === 204 ? {} : await response.json();
    return { ok: response.ok, status: response.status, retryAfter: Number(response.headers.get('retry-after')), json };
  } catch {
    return null;
  } finally {
    if (AWAKE.has(state)) quietSince = Date.now();
  }
}

// The state, as the daemon tells it: `GET /api/health` on the agent's hostname wakes nobody and does not count.
async function watch() {
  for (;;) {
    // Less often while it sleeps: each answer is then a 503, which the daemon may log.
    await wait(state === 'sleeping' ? 5000 : AWAKE.has(state) ? 2000 : 400);
    if (document.hidden || !watching) continue;
    const answer = await fetch('api/health', { cache: 'no-store' })
      .then((response) => response.json())
      .catch(() => null);
    reachable = answer !== null;
    if (!reachable) paint();
    else if (answer.agent === undefined) watching = false;
    else enter(answer.status);
  }
}

function enter(next) {
  if (next === state || WORDS[next] === undefined) return;
  const wasAwake = AWAKE.has(state);
  state = next;
  if (!AWAKE.has(next)) quietSince = null;
  else if (!wasAwake && !waking) note('Awake: somebody else called.');
  if (next === 'sleeping') note(`Asleep. Process ${life.pid} is gone.`);
  paint();
}

let waking = false;
/** Asks until the agent answers, as a polite client does: after Retry-After, or as soon as the daemon says that it is ready. */
async function wake() {
  if (waking) return;
  waking = true;
  byId('wake').disabled = true;
  const began = performance.now();
  for (let attempt = 1; attempt <= 30; attempt += 1) {
    const answer = await ask('GET', 'life');
    if (answer?.ok) {
      const before = life.pid;
      take(answer.json);
      if (life.pid === before) note(`Asked. I am still process ${life.pid}.`);
      else note(`Awake after ${seconds(performance.now() - began)}, as a new process: ${life.pid}.`);
      break;
    }
    const pause = Math.min(answer?.retryAfter || 1, 10);
    note(
      answer === null
        ? 'Nobody answers.'
        : `${answer.status} ${answer.json.status ?? answer.json.title ?? ''}: try again in ${pause} s.`,
    );
    if (WORDS[answer?.json.status] !== undefined) state = answer.json.status;
    paint();
    const until = performance.now() + pause * 1000;
    while (performance.now() < until && !AWAKE.has(state)) await wait(100);
  }
  waking = false;
  byId('wake').disabled = false;
  paint();
}

/** A new view of the agent's life. */
function take(view) {
  life = view;
  state = stateIn(view);
  quietSince = Date.now();
  paint();
}
