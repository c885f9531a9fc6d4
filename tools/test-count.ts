/**
 * What a suite's run amounts to, from the report that vitest wrote, the test files on disk and the exit code. Three witnesses,
 * because each one alone can be silent: a report does not know of the file that no pattern matched, an exit code of 0 does
 * not tell a test that passed from one that was skipped, and a report is not written when the run broke off.
 */
export interface Report {
  readonly testResults: readonly {
    /** Absolute path of the test file. */
    readonly name: string;
    readonly status: string;
    readonly message?: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages?: readonly string[];
    }[];
  }[];
}

export interface Count {
  readonly passed: number;
  readonly failed: number;
  /** A sentence for each failure: vitest has printed some of them, but far above where several suites ran. */
  readonly complaints: readonly string[];
}

export interface Run {
  readonly suite: string;
  /** Null when none was written. */
  readonly report: Report | null;
  /** Absolute paths of the test files that belong to the suite. */
  readonly files: readonly string[];
  /** Null when the run was ended by a signal. */
  readonly exitCode: number | null;
}

export function count({ suite, report, files, exitCode }: Run): Count {
  if (report === null) return { passed: 0, failed: 1, complaints: [`${suite}: the run broke off before it wrote a report.`] };
  const failures: string[] = [];
  const complaints: string[] = [];
  let passed = 0;
  let failed = 0;
  for (const { name, status, assertionResults } of report.testResults) {
    for (const test of assertionResults) {
      if (test.status === 'passed') passed += 1;
      else if (test.status === 'failed') {
        failed += 1;
        failures.push(`${suite}: "${test.fullName}" failed in ${name}: ${firstLine(test.failureMessages)}`);
      } else complaints.push(`${suite}: "${test.fullName}" was not run (${test.status}) in ${name}.`);
    }
    if (assertionResults.length === 0)
      complaints.push(`${suite}: ${name} ${status === 'failed' ? 'could not be run' : 'has no test'}.`);
  }
  const ran = new Set(report.testResults.map(({ name }) => name));
  for (const file of files) if (!ran.has(file)) complaints.push(`${suite}: ${file} was not run.`);
  if (files.length === 0) complaints.push(`${suite}: there is no test in this suite.`);
  // Errors outside of any test: an unhandled rejection, a set-up that failed after the tests.
  if (exitCode !== 0 && failed + complaints.length === 0)
    complaints.push(`${suite}: every test passed, and yet the run ended with ${exitCode ?? 'a signal'}; see above.`);
  return { passed, failed: failed + complaints.length, complaints: [...failures, ...complaints] };
}

function firstLine(messages: readonly string[] = []): string {
  return messages[0]?.split('\n')[0] ?? 'for no reason that was reported';
}
