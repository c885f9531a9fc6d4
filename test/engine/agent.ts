import { createServer } from 'node:http';

/** The agent that the contract suite runs as a real process: tells its environment, works and ends when it is told to. */
const spin = (): void => void setImmediate(spin);
const server = createServer((request, response) => {
  if (request.url === '/exit') {
    response.end(() => {
      process.stderr.write('told to exit\n', () => process.exit(7));
    });
    return;
  }
  if (request.url === '/spin') spin();
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(process.env));
});
process.once('SIGTERM', () => process.exit(0));
server.listen(Number(process.env['PORT']), process.env['HOST'], () => {
  process.stdout.write('listening\n');
});
