/**
 * The one script of the waiting page, the same for every agent, so that its hash is known. It shows the scenes that
 * `/.reveille/state` sends and reloads into the agent. Plain text for browsers, so nothing checks it but test/browser.
 *
 * Nothing in it can become a tight loop. It asks again when the scene says so; when it comes by itself but nothing was heard
 * for long; and where the stream fails, after Retry-After. Before it leaves itself for an answer it has not seen it looks
 * whether the daemon is there, since a reload into an error page of the browser would never come back; and a window that
 * nobody looks at asks nothing, or a forgotten one would wake an agent for ever.
 */
/** Below the bar of what comes by itself. */
export const OPENS = 'It opens here by itself.';

export const SCRIPT = `
(function () {
  'use strict';
  var STATE = '/.reveille/state', QUIET = 60, PAUSE_MAX = 60;
  var root = document.documentElement, main = document.querySelector('main'), bar = document.querySelector('.bar');
  var facts = main.dataset, retry = Math.max(2, Number(facts.retry)), pause = 2, heard = false, leaving = false;
  var began, usual, againAt, quietAt, notBefore = 0;
  function by(id) { return document.getElementById(id); }
  function now() { return performance.now() / 1000; }
  function number(text) { return text === undefined || text === '' ? null : Number(text); }
  function say(id, text) { if (by(id).textContent !== text) by(id).textContent = text; }
  function seconds(n) { return n < 90 ? n + (n === 1 ? ' second' : ' seconds') : Math.round(n / 60) + ' minutes'; }

  function reload() {
    if (leaving) return;
    leaving = true;
    location.reload();
  }
  function ask() {
    if (leaving || document.hidden || now() < notBefore) return;
    notBefore = Infinity;
    fetch(STATE, { method: 'HEAD', cache: 'no-store' }).then(function (answer) {
      if (answer.status >= 500) throw answer;
      reload();
    }).catch(function () {
      notBefore = now() + pause;
      pause = Math.min(PAUSE_MAX, pause * 2);
    });
  }

  function clock(again, elapsed, typical) {
    againAt = again === null ? null : now() + again;
    began = elapsed === null ? null : now() - elapsed / 1000;
    usual = typical === null ? null : typical / 1000;
  }
  function tick() {
    var left;
    if (againAt !== null) {
      left = Math.max(0, Math.ceil(againAt - now()));
      say('again', left > 0 ? 'Trying again in ' + seconds(left) + '.' : 'Trying again.');
      if (left <= 0) ask();
    } else {
      say('again', facts.kind === 'coming' ? '${OPENS}' : '');
      if (now() > quietAt) ask();
    }
    if (facts.bar !== 'measured' || began === null || usual === null) {
      bar.removeAttribute('aria-valuenow');
      say('left', '');
      return;
    }
    var gone = now() - began;
    left = Math.ceil(usual - gone);
    bar.setAttribute('aria-valuenow', String(Math.round(Math.min(.98, gone < usual ? .9 * gone / usual : .9) * 100)));
    say('left', left > 0 ? 'About ' + seconds(left) + ' left.' : '');
  }
  function move() {
    if (facts.bar !== 'measured' || began === null || usual === null) return;
    var gone = now() - began, from = gone < usual ? .9 * gone / usual : .9, fill = bar.firstElementChild;
    root.style.setProperty('--from', String(from));
    root.style.setProperty('--knee', '.9');
    root.style.setProperty('--left', Math.max(0, usual - gone) + 's');
    fill.style.animation = 'none';
    fill.getBoundingClientRect();
    fill.style.animation = '';
  }

  function show(news) {
    var scene = news.page, first = !heard, moved = scene.bar !== facts.bar || facts.state !== news.state;
    heard = true;
    pause = 2;
    quietAt = now() + QUIET;
    if (scene.kind === 'open') {
      // Open, and yet this page was the answer: rather than at once, which might never end, a little later.
      if (first) setTimeout(reload, 1000); else reload();
    } else if (scene.kind === 'idle' && facts.kind === 'halted') return;
    facts.kind = scene.kind;
    facts.bar = scene.bar;
    facts.state = news.state;
    say('heading', scene.heading);
    say('text', scene.text);
    document.title = scene.heading + ' \\u00b7 ' + facts.title;
    clock(number(scene.againSeconds), number(news.elapsedMs), number(news.typicalMs));
    if (moved) move();
    tick();
  }

  clock(number(facts.again), number(facts.elapsed), number(facts.typical));
  quietAt = now() + retry;
  tick();
  setInterval(tick, 1000);
  document.addEventListener('visibilitychange', tick);
  var source = new EventSource(STATE);
  source.onmessage = function (event) { show(JSON.parse(event.data)); };
  source.onerror = function () { quietAt = Math.min(quietAt, now() + retry); };
  addEventListener('pagehide', function () { source.close(); });
})();
`;
