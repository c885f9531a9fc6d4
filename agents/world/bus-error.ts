/** The bus did not answer, or not with what was asked for. What was to be stored may or may not be stored. */
export class BusError extends Error {
  override readonly name = 'BusError';
}
