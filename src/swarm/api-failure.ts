/**
 * Why a call to the Engine API came to nothing, in four kinds that ask for different things: `away` (ask again once it is back),
 * `conflict` (somebody else wrote first: read again), `missing` (there is no such thing), `refused` (asking again will not help)
 * and `failed` (the engine stumbled over this one call). The message says what an operator can do.
 */
export class ApiFailure extends Error {
  override readonly name = 'ApiFailure';
  readonly kind: 'away' | 'conflict' | 'missing' | 'refused' | 'failed';

  constructor(kind: ApiFailure['kind'], detail: string) {
    super(detail);
    this.kind = kind;
  }
}

const denied = (place: string): string => `no permission on ${place}: add the daemon's user to the group of the socket`;

/** By the code of the error; those of TLS differ from one OpenSSL to the next in their beginning. */
const REMEDIES: readonly (readonly [RegExp, (place: string) => string])[] = [
  [/^ENOENT$/, (place) => `there is no Docker socket at ${place}: start Docker, or set swarm.socket or DOCKER_HOST`],
  [/^(EACCES|EPERM)$/, denied],
  [/^ECONNREFUSED$/, (place) => `nothing listens on ${place}: start Docker`],
  [
    /SELF_SIGNED_CERT|UNABLE_TO_VERIFY_LEAF|CERT_SIGNATURE_FAILURE/,
    (place) => `the certificate of Docker at ${place} is not signed by ca.pem of DOCKER_CERT_PATH: mend the one or the other`,
  ],
  [
    /_ALERT_(BAD_CERTIFICATE|CERTIFICATE_REQUIRED|UNKNOWN_CA)/,
    (place) => `Docker at ${place} does not accept our certificate: mend cert.pem and key.pem of DOCKER_CERT_PATH`,
  ],
  [/^ERR_OSSL_/, () => 'a file of DOCKER_CERT_PATH cannot be used: mend ca.pem, cert.pem or key.pem'],
];

/** No answer came, or it broke off. */
export function transportFailure(error: unknown, place: string): ApiFailure {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const [, remedy] = REMEDIES.find(([pattern]) => pattern.test(code)) ?? [];
  return new ApiFailure('away', remedy?.(place) ?? `Docker at ${place} cannot be reached: ${message}`);
}

/** The engine said no. */
export function answerFailure(method: string, path: string, status: number, text: string): ApiFailure {
  const said = messageIn(text);
  if (said.includes('update out of sequence')) return new ApiFailure('conflict', said);
  if (said.includes('not a swarm manager')) return new ApiFailure('away', notAManager(said));
  // Swarm without a majority of its managers answers so for as long as it lasts.
  if (status === 503 || /does not have a leader|deadline exceeded|code = Unavailable/.test(said))
    return new ApiFailure('away', said);
  if (status === 404) return new ApiFailure('missing', said);
  if (status === 401 || status === 403) {
    return new ApiFailure('refused', `${method} ${path} is not allowed (${status}): a socket proxy must let it through`);
  }
  return new ApiFailure(status >= 500 ? 'failed' : 'refused', `${method} ${path}: ${said}`);
}

/** Docker's own sentence lists commands of its client; ours says where the daemon belongs. */
const notAManager = (said: string): string =>
  said.includes('swarm init')
    ? 'this Docker is not part of a Swarm, or only a worker: run `docker swarm init`, or run the daemon on a manager'
    : 'this Docker is a worker of its Swarm: run the daemon on a manager';

const SAID_MAX = 500;
const PAGE_MAX = 100;

function messageIn(text: string): string {
  let said: unknown;
  try {
    said = (JSON.parse(text) as { message?: unknown } | null)?.message;
  } catch {
    said = undefined;
  }
  if (typeof said === 'string') return said.trim().slice(0, SAID_MAX);
  // What stands in between answers with a page of its own. One line of it is enough to know whose it is.
  return text
    .replaceAll(/<[^>]*>|\s/g, ' ')
    .replaceAll(/ +/g, ' ')
    .trim()
    .slice(0, PAGE_MAX);
}
