// The page's script. It is put into the page as it stands, so it is plain JavaScript. Everything that comes from the agent
// reaches the document as text, never as markup.

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
    await wait(state === 'starting' || state === 'stopping' ? 300 : 2000);
    if (document.hidden || !watching) continue;
    const answer = await fetch('api/health', { cache: 'no-store' })
      .then((response) => response.json())
      .catch(() => null);
    if (answer === null) say('count', 'The daemon does not answer.');
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

// The painting: everything that is shown of `life`, `state`, `quietSince` and `holding`.

/** Milliseconds until it may fall asleep; null when that is not known or not to be. */
function left() {
  if (state !== 'ready' || holding.size > 0 || quietSince === null || life.idle_timeout_ms === null) return null;
  return quietSince + life.idle_timeout_ms - Date.now();
}

function paint() {
  const remaining = left();
  say('state', WORDS[state]);
  paintCount(remaining);
  paintSky(remaining);
  const asleep = !AWAKE.has(state);
  say('who', asleep ? 'Who I was' : 'Who I am');
  // Pressing one of these while it sleeps would only be a request that is refused and wakes it; there is a button for that.
  for (const id of ['live', 'busy', 'slow', 'ws', 'sse']) byId(id).disabled = asleep && !holding.size;
  byId('slow-link').hidden = asleep;
  say('wake', waking ? 'Waking me …' : asleep ? 'Wake me' : 'Ask me again');
  const self = life.self;
  say(
    'woken',
    asleep || !self
      ? ''
      : `Woken ${CAUSES[self.woken_by] ?? (self.woken_by ? `by ${self.woken_by}` : 'before the daemon looked')}, started at ${clock(life.started_at)}.`,
  );
  document.title = `${WORDS[state]}: hello`;
  paintFacts();
  paintPreview();
}

function paintCount(remaining) {
  if (life.daemon === 'none') return say('count', 'I run alone, without a daemon: nobody puts me to sleep.');
  if (state === 'running') return say('count', 'I am not on-demand: nobody puts me to sleep.');
  if (!AWAKE.has(state))
    return say('count', state === 'starting' ? 'One moment.' : 'No process of mine is running. The next request wakes me.');
  if (holding.size > 0) return say('count', `I cannot fall asleep while this is open: ${[...holding.keys()].join(', ')}.`);
  if (quietSince === null) return say('count', 'Somebody else woke me. Ask me how long I have.');
  if (remaining === null) return say('count', 'How long I may be idle is still being found out.');
  if (remaining <= -3000) return say('count', 'Still up: somebody else must have called.');
  const strong = document.createElement('strong');
  const whole = Math.max(0, Math.ceil(remaining / 1000));
  strong.textContent = `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
  byId('count').replaceChildren('Falls asleep in ', strong, ' if nobody calls.');
}

/** The sun goes down as the time runs out: noon after a request, at the horizon when it is over. */
function paintSky(remaining) {
  const sky = byId('sky');
  const asleep = !AWAKE.has(state);
  const day = asleep ? 0 : remaining === null ? 1 : Math.min(1, Math.max(0, remaining / life.idle_timeout_ms));
  const sunk = 1 - day;
  sky.classList.toggle('awake', !asleep);
  sky.classList.toggle('asleep', state === 'sleeping');
  sky.style.setProperty('--sun-x', `${24 + 56 * sunk}%`);
  sky.style.setProperty('--sun-y', `${asleep ? 125 : 26 + 52 * sunk ** 2}%`);
  sky.style.setProperty('--dusk', String(sunk ** 1.5));
  sky.style.setProperty('--night', asleep ? '1' : '0');
}

function paintFacts() {
  const { self, open } = life;
  const facts = [
    ['Agent', life.agent ?? 'none'],
    ['Task', life.task ? `${life.task.name} (${life.task.id})` : 'none'],
    ['Process', `${life.pid}, Node ${life.node}, since ${clock(life.started_at)}`],
    ['Open here', `requests ${open.requests}, event streams ${open.streams}, WebSockets ${open.websockets}, busy ${open.busy}`],
    ['Replicas', self ? `${self.replicas.running} running, ${self.replicas.wanted} wanted, at most ${self.replicas.max}` : null],
    ['Hostnames', self?.hostnames.join(', ')],
    ['May register', self?.domains.join(', ')],
    ['Idle after', life.idle_timeout_ms === null ? null : `${life.idle_timeout_ms / 1000} s`],
    ['As of', clock(life.now)],
  ].filter(([, value]) => value);
  byId('facts').replaceChildren(
    ...facts.flatMap(([name, value]) => {
      const term = document.createElement('dt');
      const detail = document.createElement('dd');
      term.textContent = name;
      detail.textContent = value;
      return [term, detail];
    }),
  );
}

function paintPreview() {
  const { hostname, open } = life.preview;
  const registered = open && AWAKE.has(state);
  const link = byId('preview-link');
  byId('preview').disabled = hostname === null || !AWAKE.has(state);
  byId('preview').setAttribute('aria-pressed', String(registered));
  say('preview', registered ? 'Take it back' : 'Register it');
  link.hidden = !registered;
  if (registered) {
    link.href = `${location.protocol}//${hostname}${location.port ? `:${location.port}` : ''}/`;
    link.textContent = link.href;
  }
  if (hostname === null) say('preview-out', 'Needs a daemon, and a wildcard in my domains.');
}

// What keeps it awake: each is switched on and off by its button.

function toggle(id, start) {
  let stop = null;
  const button = byId(id);
  const attribute = button.getAttribute('role') === 'switch' ? 'aria-checked' : 'aria-pressed';
  const over = () => {
    stop = null;
    button.setAttribute(attribute, 'false');
  };
  button.addEventListener('click', () => {
    if (stop) return stop();
    button.setAttribute(attribute, 'true');
    stop = start(over);
  });
}

/** An event stream that ends for good when it breaks: the browser's own reconnecting would wake the agent again and again. */
function stream(path, event, name, card, onData, over) {
  const source = new EventSource(path);
  const release = hold(name, card);
  const end = () => {
    source.close();
    release();
    over();
  };
  source.addEventListener(event, (message) => onData(JSON.parse(message.data)));
  source.onerror = end;
  return end;
}

toggle('live', (over) => {
  note('Live: the open stream keeps me awake.');
  return stream('life/stream', 'life', 'the live view', null, take, over);
});

toggle('sse', (over) => {
  say('sse', 'Stop the clock');
  const end = () => {
    say('sse', 'Start the clock');
    over();
  };
  return stream('sse', 'tick', 'the clock', byId('sse-card'), (tick) => say('sse-out', clock(tick.now)), end);
});

toggle('ws', (over) => {
  const url = new URL('ws', location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  const socket = new WebSocket(url);
  const release = hold('a WebSocket', byId('ws-card'));
  const send = (event) => {
    event.preventDefault();
    if (byId('ws-text').value) socket.send(byId('ws-text').value);
    byId('ws-text').value = '';
  };
  byId('ws-form').addEventListener('submit', send);
  socket.onopen = () => {
    byId('ws-form').hidden = false;
    say('ws', 'Disconnect');
    say('ws-out', 'Connected.');
    byId('ws-text').focus();
  };
  socket.onmessage = (message) => say('ws-out', `Echo: ${message.data}`);
  socket.onclose = (event) => {
    byId('ws-form').removeEventListener('submit', send);
    byId('ws-form').hidden = true;
    say('ws', 'Connect');
    say('ws-out', `Closed (${event.code}${event.reason ? `, ${event.reason}` : ''}).`);
    release();
    over();
  };
  return () => socket.close(1000);
});

toggle('slow', (over) => {
  const abort = new AbortController();
  const release = hold('a download', byId('slow-card'));
  const bar = byId('slow-bar');
  const read = async () => {
    const response = await fetch('slow?seconds=30', { cache: 'no-store', signal: abort.signal });
    if (!response.ok) throw new Error(`${response.status}`);
    const length = Number(response.headers.get('content-length')) || 30 * 640;
    let bytes = 0;
    for (const reader = response.body.getReader(); ;) {
      const { done, value } = await reader.read();
      if (done) return `All ${bytes} bytes arrived.`;
      bytes += value.byteLength;
      bar.value = bytes / length;
    }
  };
  bar.hidden = false;
  bar.value = 0;
  say('slow', 'Stop reading');
  say('slow-out', '');
  read()
    .catch((error) => (error.name === 'AbortError' ? 'Stopped by you.' : `It broke off: ${error.message}`))
    .then((outcome) => {
      bar.hidden = true;
      say('slow', 'Read it here');
      say('slow-out', outcome);
      release();
      over();
    });
  return () => abort.abort();
});

toggle('busy', (over) => {
  const release = hold('a busy lease', byId('busy-card'));
  let timer;
  const end = (outcome) => {
    clearInterval(timer);
    say('busy', 'Keep me busy for 30 s');
    say('busy-out', outcome);
    release();
    over();
  };
  ask('POST', 'busy', { seconds: 30 }).then((answer) => {
    if (!answer?.ok) return end(answer?.json.error ?? 'Nobody answers.');
    const until = Date.now() + 30_000;
    say('busy', 'Be done');
    const tick = () =>
      Date.now() < until ? say('busy-out', `Busy for ${Math.ceil((until - Date.now()) / 1000)} s more.`) : end('Done.');
    timer = setInterval(tick, 500);
    tick();
  });
  return () => ask('DELETE', 'busy').then(() => end('Done early.'));
});

byId('preview').addEventListener('click', async () => {
  const answer = await ask(life.preview.open ? 'DELETE' : 'POST', 'preview');
  say('preview-out', answer?.ok ? '' : (answer?.json.error ?? 'Nobody answers.'));
  if (answer?.ok) life.preview = { ...life.preview, open: !life.preview.open };
  paint();
});
byId('ws-form').addEventListener('submit', (event) => event.preventDefault());
byId('wake').addEventListener('click', wake);

byId('curl').textContent = `curl -i ${location.host}/whoami\ncurl -N ${location.host}/sse`;
note(life.daemon === 'none' ? `Awake, alone, as process ${life.pid}.` : `Awake, as process ${life.pid}.`);
paint();
setInterval(paint, 1000);
void watch();
// The idle timeout can only be observed between two requests, and the one for this page was too early. Asked once more.
if (life.daemon !== 'none' && life.idle_timeout_ms === null) {
  void wait(2000)
    .then(() => ask('GET', 'life'))
    .then((answer) => answer?.ok && take(answer.json));
}
