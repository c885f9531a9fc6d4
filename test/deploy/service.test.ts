import { expect, it } from 'vitest';
import { EXIT } from '../../src/contract/problems.ts';
import { configFromText } from '../../src/config/load.ts';
import { readText } from '../house/tree.ts';

/** The systemd unit, as far as it repeats what the code decides. `systemd-analyze verify` is for whoever has systemd. */
const unit = new Map(
  readText('deploy/reveille.service')
    .split('\n')
    .filter((line) => /^[A-Z]\w+=/.test(line))
    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const),
);

it('the systemd unit does not start a daemon again whose exit code says that it would be in vain', () => {
  expect(unit.get('Restart')).toBe('on-failure');
  expect(unit.get('RestartPreventExitStatus')).toBe(`${EXIT.stateDirInUse} ${EXIT.badConfig}`);
});

it('the systemd unit waits longer than the daemon takes to end', () => {
  const defaults = configFromText('agents: {}', 'orchestrator.yaml', {});
  const drain = defaults.ok ? defaults.value.config.shutdown.drain_timeout : Number.NaN;
  expect(Number(unit.get('TimeoutStopSec')) * 1000).toBeGreaterThan(drain + 10_000);
});

it('the systemd unit reloads with the signal that the daemon reloads on, and ends agents through the daemon', () => {
  expect(unit.get('ExecReload')).toContain('-HUP $MAINPID');
  expect(unit.get('KillMode')).toBe('mixed');
});
