/**
 * Tells those who wait for long that the server is about to close: event streams end, waits are given up. An AbortSignal
 * was the alternative; Node warns when more than ten listen to one, and event streams are more than ten.
 */
export class Closing {
  private begun = false;
  private readonly waiting = new Set<() => void>();

  get hasBegun(): boolean {
    return this.begun;
  }

  begin(): void {
    this.begun = true;
    // Copied first: whoever is told takes itself off.
    for (const tell of [...this.waiting]) tell();
    this.waiting.clear();
  }

  /** Calls `tell` once when closing begins. Returns how to take it back. */
  whenBegun(tell: () => void): () => void {
    this.waiting.add(tell);
    return () => void this.waiting.delete(tell);
  }
}
