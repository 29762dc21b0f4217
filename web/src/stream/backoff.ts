const FIRST_MS = 500;
const LONGEST_MS = 15_000;

/**
 * How long to wait before attempt `n` (from 0): doubling, with the upper half at random so that
 * clients of a restarted server don't come back all at once. `random` is in [0, 1).
 */
export function backoffMs(n: number, random: number): number {
  const full = Math.min(FIRST_MS * 2 ** n, LONGEST_MS);
  return Math.round(full / 2 + (full / 2) * random);
}
