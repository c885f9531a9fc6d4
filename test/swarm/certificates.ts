import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { runProgram } from '../lab/run-program.ts';

/** What `docker` and an engine that listens with --tlsverify have of each other, made for one test by openssl. */
export interface Certificates {
  /** As DOCKER_CERT_PATH: ca.pem, cert.pem, key.pem. */
  readonly directory: string;
  readonly server: { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer };
}

/** With an authority of its own. */
export async function certificates(): Promise<Certificates> {
  const directory = mkdtempSync(join(tmpdir(), 'reveille-tls-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const at = (file: string): string => join(directory, file);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  await runProgram([
    'openssl',
    'req',
    '-x509',
    ...key,
    '-keyout',
    at('ca-key.pem'),
    '-out',
    at('ca.pem'),
    '-subj',
    '/CN=authority',
  ]);
  const sign = async (name: string, keyFile: string, certFile: string, extensions: string): Promise<void> => {
    writeFileSync(at('extensions'), extensions);
    await runProgram(['openssl', 'req', ...key, '-keyout', at(keyFile), '-out', at('request'), '-subj', `/CN=${name}`]);
    const authority = ['-CA', at('ca.pem'), '-CAkey', at('ca-key.pem'), '-CAcreateserial', '-days', '1'];
    await runProgram([
      'openssl',
      'x509',
      '-req',
      '-in',
      at('request'),
      ...authority,
      '-extfile',
      at('extensions'),
      '-out',
      at(certFile),
    ]);
  };
  await sign('engine', 'server-key.pem', 'server.pem', 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n');
  await sign('client', 'key.pem', 'cert.pem', 'extendedKeyUsage=clientAuth\n');
  const read = (file: string): Buffer => readFileSync(at(file));
  const server = { ca: read('ca.pem'), cert: read('server.pem'), key: read('server-key.pem') };
  return { directory, server };
}
