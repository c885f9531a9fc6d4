import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DaemonError } from '../../agents/kit/daemon-error.ts';
import { type Claim, keepRenewed } from '../../agents/kit/renewal.ts';
import { type Millis, millisOf } from '../../src/std/time.ts';

const away = new DaemonError('unreachable', 'away');
const refused = new DaemonError('refused', 'taken', 'hostname-taken', 409);

/** A claim that does as it is told, and says when it was asked. */
class ScriptedClaim implements Claim {
  readonly taken: number[] = [];
  dropped = 0;
  take_: () => Promise<Millis | null> = async () => millisOf(60_000);

  take(): Promise<Millis | null> {
    this.taken.push(performance.now());
    return this.take_();
  }

  async drop(): Promise<void> {
    this.dropped += 1;
  }
}

const watcher = () => ({
  late: vi.fn<(error: DaemonError, waitMs: Millis) => void>(),
  lost: vi.fn<(error: DaemonError) => void>(),
});
/** The longest of every wait. */
const slow = () => 0;

describe('a renewal', () => {
  let claim: ScriptedClaim;
  beforeEach(() => {
    vi.useFakeTimers();
    claim = new ScriptedClaim();
  });
  afterEach(() => vi.useRealTimers());

  it('takes the claim again when a third of its time is over, so that two failures in a row do no harm', async () => {
    const start = performance.now();
    const renewal = await keepRenewed(claim, watcher(), slow);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(claim.taken.map((at) => at - start)).toEqual([0, 20_000, 40_000, 60_000]);
    expect(renewal.state).toBe('held');
    await renewal.drop();
  });

  it('renews up to a tenth earlier by chance, so that tasks started together do not stay together', async () => {
    const start = performance.now();
    const renewal = await keepRenewed(claim, watcher(), () => 1 - Number.EPSILON);
    await vi.advanceTimersByTimeAsync(18_001);
    expect(claim.taken).toHaveLength(2);
    expect(claim.taken[1]! - start).toBeGreaterThanOrEqual(17_999);
    await renewal.drop();
  });

  it('follows what was granted, which may be less than was asked for, and never spins', async () => {
    claim.take_ = async () => millisOf(0);
    const renewal = await keepRenewed(claim, watcher(), slow);
    await vi.advanceTimersByTimeAsync(1000);
    expect(claim.taken).toHaveLength(5);
    await renewal.drop();
  });

  it('does not renew what has no end', async () => {
    claim.take_ = async () => null;
    await keepRenewed(claim, watcher(), slow);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('tries again with growing pauses while the daemon is away, says so, and is held again once it is back', async () => {
    const seen = watcher();
    const renewal = await keepRenewed(claim, seen, slow);
    claim.take_ = () => Promise.reject(away);
    await vi.advanceTimersByTimeAsync(200_000);
    const waits = seen.late.mock.calls.map(([, wait]) => wait);
    expect(waits.slice(0, 9)).toEqual([250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
    expect(renewal.state).toBe('late');
    claim.take_ = async () => millisOf(60_000);
    await vi.advanceTimersByTimeAsync(15_000);
    expect(renewal.state).toBe('held');
    expect(seen.lost).not.toHaveBeenCalled();
    await renewal.drop();
  });

  it('gives up at a refusal that waiting does not mend, says so once, and has nothing left to drop', async () => {
    const seen = watcher();
    const renewal = await keepRenewed(claim, seen, slow);
    claim.take_ = () => Promise.reject(refused);
    await vi.advanceTimersByTimeAsync(100_000);
    expect(renewal.state).toBe('lost');
    expect(seen.lost).toHaveBeenCalledExactlyOnceWith(refused);
    await renewal.drop();
    expect(claim.dropped).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('tries the first take five times while the daemon is away, then leaves the error to the caller', async () => {
    claim.take_ = () => Promise.reject(away);
    const outcome = keepRenewed(claim, watcher(), slow).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await outcome).toBe(away);
    expect(claim.taken).toHaveLength(5);
  });

  it('leaves a first refusal to the caller at once', async () => {
    claim.take_ = () => Promise.reject(refused);
    await expect(keepRenewed(claim, watcher(), slow)).rejects.toBe(refused);
    expect(claim.taken).toHaveLength(1);
  });

  it('drops once, ends the renewing with it, and leaves no timer', async () => {
    const renewal = await keepRenewed(claim, watcher(), slow);
    await Promise.all([renewal.drop(), renewal.drop()]);
    await vi.advanceTimersByTimeAsync(100_000);
    expect([claim.dropped, claim.taken.length, vi.getTimerCount()]).toEqual([1, 1, 0]);
  });

  it('drops only after the renewal that is under way, which would otherwise undo it', async () => {
    const renewal = await keepRenewed(claim, watcher(), slow);
    const gate = Promise.withResolvers<Millis>();
    claim.take_ = () => gate.promise;
    await vi.advanceTimersByTimeAsync(20_000);
    const dropping = renewal.drop();
    await vi.advanceTimersByTimeAsync(0);
    expect(claim.dropped).toBe(0);
    gate.resolve(millisOf(60_000));
    await dropping;
    expect([claim.dropped, vi.getTimerCount()]).toEqual([1, 0]);
  });
});
