/**
 * Spreads connection ids, which count up by one, evenly over 64 bits (the finalizer of SplitMix64).
 * @param seed differs between proxies, so that their n-th connections do not get equal limits
 */
export function hashConnection(id: u64, seed: u64): u64 {
  let hash = id + seed + 0x9e3779b97f4a7c15;
  hash = (hash ^ (hash >>> 30)) * 0xbf58476d1ce4e5b9;
  hash = (hash ^ (hash >>> 27)) * 0x94d049bb133111eb;
  return hash ^ (hash >>> 31);
}
