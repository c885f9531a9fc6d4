import type { Bus, Versioned } from '../../agents/world/bus.ts';

/** The bus without memcached, for tests of what troopers decide. Nothing ends by itself: times to live are not kept. */
export class MemoryBus implements Bus {
  readonly values = new Map<string, Versioned>();
  private stores = 0;

  async get(key: string): Promise<string | null> {
    return this.values.get(key)?.value ?? null;
  }

  async getMany(keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const found = keys.map((key) => [key, this.values.get(key)?.value] as const);
    return new Map(found.flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const])));
  }

  async gets(key: string): Promise<Versioned | null> {
    return this.values.get(key) ?? null;
  }

  async set(key: string, value: string): Promise<void> {
    this.values.set(key, { value, version: String((this.stores += 1)) });
  }

  async add(key: string, value: string): Promise<boolean> {
    if (this.values.has(key)) return false;
    await this.set(key, value);
    return true;
  }

  async cas(key: string, value: string, _ttlSeconds: number, version: string): Promise<boolean> {
    if (this.values.get(key)?.version !== version) return false;
    await this.set(key, value);
    return true;
  }

  async delete(key: string): Promise<boolean> {
    return this.values.delete(key);
  }

  async increment(key: string, by: number, first: number): Promise<number> {
    const before = await this.get(key);
    const sum = before === null ? first : Number(before) + by;
    await this.set(key, String(sum));
    return sum;
  }

  close(): void {
    this.values.clear();
  }
}
