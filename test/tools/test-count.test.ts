import { describe, expect, it } from 'vitest';
import { type Report, type Run, count } from '../../tools/test-count.ts';

const file = (name: string, ...statuses: readonly string[]): Report['testResults'][number] => ({
  name,
  status: statuses.includes('failed') ? 'failed' : 'passed',
  assertionResults: statuses.map((status, at) => ({
    fullName: `test ${at}`,
    status,
    failureMessages: ['5 is not 6\n    at x.ts:1'],
  })),
});
const run = (...testResults: Report['testResults']): Run => ({
  suite: 'unit',
  report: { testResults },
  files: testResults.map(({ name }) => name),
  exitCode: 0,
});

describe('the count of a test run', () => {
  it('adds up what passed and what failed, and names each failure with the first line of its reason', () => {
    const outcome = count({ ...run(file('/a', 'passed', 'failed'), file('/b', 'passed')), exitCode: 1 });
    expect(outcome).toEqual({ passed: 2, failed: 1, complaints: ['unit: "test 1" failed in /a: 5 is not 6'] });
  });

  it.each(['skipped', 'todo', 'pending', 'disabled'])('counts a test that was not run as failed: %s', (status) => {
    expect(count(run(file('/a', 'passed', status)))).toEqual({
      passed: 1,
      failed: 1,
      complaints: [`unit: "test 1" was not run (${status}) in /a.`],
    });
  });

  it('counts a test file without a test, and one that could not be loaded', () => {
    const broken = { ...file('/b'), status: 'failed' };
    expect(count(run(file('/a'), broken, file('/c', 'passed'))).complaints).toEqual([
      'unit: /a has no test.',
      'unit: /b could not be run.',
    ]);
  });

  it('counts a test file on disk that the run has not seen', () => {
    const outcome = count({ ...run(file('/a', 'passed')), files: ['/a', '/b'] });
    expect(outcome).toEqual({ passed: 1, failed: 1, complaints: ['unit: /b was not run.'] });
  });

  it('counts a suite without tests', () => {
    expect(count(run()).complaints).toEqual(['unit: there is no test in this suite.']);
  });

  it('counts a run that wrote no report, and one that ended badly though every test passed', () => {
    expect(count({ ...run(), report: null })).toMatchObject({ passed: 0, failed: 1 });
    expect(count({ ...run(file('/a', 'passed')), exitCode: 1 })).toMatchObject({ passed: 1, failed: 1 });
    expect(count({ ...run(file('/a', 'passed')), exitCode: null }).complaints).toEqual([
      'unit: every test passed, and yet the run ended with a signal; see above.',
    ]);
  });
});
