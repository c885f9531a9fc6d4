import { describe, expect, it } from 'vitest';
import { type ApiFailure, answerFailure, transportFailure } from '../../src/swarm/api-failure.ts';

/** What went wrong with a call, as something to act upon and as something to read. */
const answer = (status: number, text: string): ApiFailure => answerFailure('GET', '/services/kai', status, text);
const message = (status: number, said: string): ApiFailure => answer(status, JSON.stringify({ message: said }));

describe('an answer', () => {
  it('that an update is out of sequence is a conflict, whatever its status', () => {
    const said = 'rpc error: code = Unknown desc = update out of sequence';
    for (const status of [500, 409]) expect(message(status, said)).toMatchObject({ kind: 'conflict', message: said });
  });

  it('of a node that cannot manage a Swarm says where the daemon belongs', () => {
    const inactive =
      'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';
    const worker = "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state.";
    expect(message(503, inactive).message).toMatch(/run `docker swarm init`, or run the daemon on a manager$/);
    expect(message(503, worker).message).toBe('this Docker is a worker of its Swarm: run the daemon on a manager');
    expect(message(503, worker).kind).toBe('away');
  });

  it('of a Swarm without a majority is asked again', () => {
    for (const said of [
      'rpc error: code = Unknown desc = The swarm does not have a leader.',
      'rpc error: code = DeadlineExceeded desc = context deadline exceeded',
      'rpc error: code = Unavailable desc = transport is closing',
    ])
      expect(message(500, said)).toMatchObject({ kind: 'away', message: said });
    expect(message(503, 'anything')).toMatchObject({ kind: 'away' });
  });

  it('of 404 is that there is no such thing', () => {
    expect(message(404, 'service kai not found')).toMatchObject({ kind: 'missing', message: 'service kai not found' });
  });

  it('of a socket proxy names the call that it must let through', () => {
    for (const status of [401, 403])
      expect(answer(status, '<html>Forbidden</html>')).toMatchObject({
        kind: 'refused',
        message: `GET /services/kai is not allowed (${status}): a socket proxy must let it through`,
      });
  });

  it('of any other status is refused when it is our fault, and failed when it is the engine’s', () => {
    expect(message(400, 'no')).toMatchObject({ kind: 'refused', message: 'GET /services/kai: no' });
    expect(message(500, 'boom')).toMatchObject({ kind: 'failed', message: 'GET /services/kai: boom' });
  });

  it('without a message is quoted, and never at length', () => {
    expect(answer(500, '').message).toBe('GET /services/kai: ');
    expect(answer(500, 'null').message).toBe('GET /services/kai: null');
    expect(answer(500, '{"message":7}').message).toBe('GET /services/kai: {"message":7}');
    expect(answer(500, 'x'.repeat(100_000)).message.length).toBeLessThan(600);
  });
});

describe('no answer', () => {
  const failed = (code: string): ApiFailure =>
    transportFailure(Object.assign(new Error(`connect ${code} /run/d.sock`), { code }), '/run/d.sock');

  it('is always a matter of asking again', () => {
    for (const code of ['ENOENT', 'EACCES', 'EPERM', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOTFOUND'])
      expect(failed(code).kind).toBe('away');
  });

  it('says what to do where that is known', () => {
    expect(failed('ENOENT').message).toBe(
      'there is no Docker socket at /run/d.sock: start Docker, or set swarm.socket or DOCKER_HOST',
    );
    for (const code of ['EACCES', 'EPERM'])
      expect(failed(code).message).toBe("no permission on /run/d.sock: add the daemon's user to the group of the socket");
    expect(failed('ECONNREFUSED').message).toBe('nothing listens on /run/d.sock: start Docker');
  });

  it('over TLS says which file is to be mended', () => {
    for (const code of ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'SELF_SIGNED_CERT_IN_CHAIN', 'DEPTH_ZERO_SELF_SIGNED_CERT'])
      expect(failed(code).message).toMatch(
        /^the certificate of Docker at \/run\/d\.sock is not signed by ca\.pem of DOCKER_CERT_PATH/,
      );
    // The first is what an engine of 20.10 answers to a certificate of another authority, as Node 24 has it.
    for (const code of ['ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE', 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'])
      expect(failed(code).message).toBe(
        'Docker at /run/d.sock does not accept our certificate: mend cert.pem and key.pem of DOCKER_CERT_PATH',
      );
    expect(failed('ERR_OSSL_UNSUPPORTED').message).toMatch(/^a file of DOCKER_CERT_PATH cannot be used/);
  });

  it('says what the machine said otherwise', () => {
    expect(failed('ENOTFOUND').message).toBe('Docker at /run/d.sock cannot be reached: connect ENOTFOUND /run/d.sock');
  });
});
