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
if (life.daemon === 'none') say('why', 'I was started without the daemon, so I stay up. Run npm start to see me sleep.');
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
