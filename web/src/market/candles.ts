import type { Candle } from "../stream/messages";

/** What changed: the last candle alone can be drawn cheaply, anything else draws all. */
export type Change = "last" | "all" | "none";

const MOST_CANDLES = 20_000;

/** Candles of one symbol and timeframe, oldest first, one for each start. */
export class CandleSeries {
  private items: Candle[] = [];

  get candles(): readonly Candle[] {
    return this.items;
  }

  get last(): Candle | undefined {
    return this.items.at(-1);
  }

  /** A snapshot replaces what it covers; older history that was loaded before it stays. */
  snapshot(candles: readonly Candle[]): Change {
    const first = candles[0];
    if (!first) return "none";
    this.items = [...this.items.filter((old) => old.start_ns < first.start_ns), ...candles];
    return "all";
  }

  /** History, of any time; what is known already is newer than it. */
  addHistory(candles: readonly Candle[]): Change {
    if (candles.length === 0) return "none";
    const merged = new Map(candles.map((candle) => [candle.start_ns, candle]));
    for (const candle of this.items) merged.set(candle.start_ns, candle);
    if (merged.size === this.items.length) return "none";
    this.items = [...merged.values()].sort((a, b) => a.start_ns - b.start_ns);
    return "all";
  }

  update(candle: Candle, complete: boolean): Change {
    const last = this.last;
    if (!last || candle.start_ns > last.start_ns) {
      this.items.push(candle);
      if (this.items.length > MOST_CANDLES) {
        this.items.splice(0, this.items.length - MOST_CANDLES);
        return "all";
      }
      return "last";
    }
    if (candle.start_ns === last.start_ns) {
      this.items[this.items.length - 1] = candle;
      return "last";
    }
    const at = this.indexFrom(candle.start_ns);
    const known = this.items[at]?.start_ns === candle.start_ns;
    // A candle that forms before the last one: a new run began in the past. What lies ahead of it
    // has not happened yet.
    if (!complete) this.items.splice(at, this.items.length - at, candle);
    else this.items.splice(at, known ? 1 : 0, candle);
    return "all";
  }

  /** Market time went back to `atNs`. */
  forgetFrom(atNs: number): Change {
    const at = this.indexFrom(atNs);
    if (at === this.items.length) return "none";
    this.items.length = at;
    return "all";
  }

  /** Start of the candle that a moment belongs to; null before the first. */
  startOf(atNs: number): number | null {
    const at = this.indexFrom(atNs + 1) - 1;
    return this.items[at]?.start_ns ?? null;
  }

  /** Index of the first candle that starts at or after `ns`. */
  indexFrom(ns: number): number {
    let low = 0;
    let high = this.items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const item = this.items[middle];
      if (item && item.start_ns < ns) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
