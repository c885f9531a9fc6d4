import { serve } from '../../src/main.ts';

/** `reveille serve --config FILE` and nothing else of the command line: where a daemon begins, for whoever starts it from a test. */
process.exit(await serve({ configFile: process.argv[4] ?? '' }));
