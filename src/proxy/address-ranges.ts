import { BlockList, isIP, isIPv6 } from 'node:net';
import { assert } from '../std/assert.ts';

/** Ranges of addresses, as the config writes them: CIDRs, addresses, and the words `loopback` and `private`. */
export class AddressRanges {
  private readonly list = new BlockList();

  /** `specs`: as config has checked them. */
  constructor(specs: readonly string[]) {
    for (const spec of specs.flatMap((one) => WORDS[one] ?? [one])) {
      const [address = '', bits] = spec.split('/');
      assert(isIP(address) !== 0, `the config was checked: its ranges are ranges: ${spec}`);
      const family = isIPv6(address) ? 'ipv6' : 'ipv4';
      this.list.addSubnet(address, bits === undefined ? (family === 'ipv6' ? 128 : 32) : Number(bits), family);
    }
  }

  /** Whether it is in one of them; false for what is no address. */
  test(address: string): boolean {
    const version = isIP(address);
    return version !== 0 && this.list.check(address, version === 6 ? 'ipv6' : 'ipv4');
  }
}

const WORDS: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  private: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
};
