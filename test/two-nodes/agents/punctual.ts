import { createServer } from 'node:http';

/** Well from the moment it listens, and says when that was: milliseconds since 1970. */
let since = 0;
const server = createServer((_request, response) => response.end(JSON.stringify({ since })));
server.listen(Number(process.env['PORT']), process.env['HOST'], () => (since = Date.now()));
process.once('SIGTERM', () => process.exit(0));
