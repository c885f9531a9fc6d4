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
  if (!reachable) return say('count', 'The daemon does not answer.');
  if (life.daemon === 'none') return say('count', 'I run alone, without a daemon: nobody puts me to sleep.');
  if (state === 'running') return say('count', 'I am not on-demand: nobody puts me to sleep.');
  if (!AWAKE.has(state))
    return say('count', state === 'starting' ? 'One moment.' : 'No process of mine is running. The next request wakes me.');
  if (holding.size > 0) return say('count', `I cannot fall asleep while this is open: ${[...holding.keys()].join(', ')}.`);
  if (quietSince === null) return say('count', 'Somebody else woke me. Ask me how long I have.');
  if (remaining === null) return say('count', 'How long I may be idle is still being found out.');
  if (remaining <= -3000)
    return say('count', watching ? 'Still up: somebody else must have called.' : 'I should be asleep by now.');
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
