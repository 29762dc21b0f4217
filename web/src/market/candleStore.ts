import { useEffect, useMemo, useSyncExternalStore } from "react";
import type { ApiClient } from "../api/client";
import type { Page, RestCandle } from "../api/types";
import { useServices } from "../app/services";
import type { Candle, CandleUpdated, Timeframe, TimeMark } from "../stream/messages";
import { CandleSeries, type Change } from "./candles";

const PAGE = 500;

type Snapshot = { candles: Candle[]; forming: Candle | null };

/** Candles of one symbol and timeframe: history by REST, then live. */
export class CandleStore {
  readonly series = new CandleSeries();
  private readonly drawers = new Set<(change: Change) => void>();
  private readonly watchers = new Set<() => void>();
  private lastShown: Candle | undefined;
  private pending: Change = "none";
  private loadingOlder = false;
  private atBeginning = false;
  /** True when history has come, from wherever. */
  loaded = false;

  constructor(
    private readonly api: ApiClient,
    readonly symbol: string,
    readonly timeframe: Timeframe,
  ) {}

  /** Called at most once a frame, with what has to be drawn anew. */
  readonly onDraw = (draw: (change: Change) => void): (() => void) => {
    this.drawers.add(draw);
    return () => this.drawers.delete(draw);
  };

  readonly watch = (listener: () => void): (() => void) => {
    this.watchers.add(listener);
    return () => this.watchers.delete(listener);
  };

  readonly last = (): Candle | undefined => this.lastShown;

  async loadHistory(): Promise<void> {
    const candles = await this.fetch();
    this.loaded = true;
    this.changed(this.series.addHistory(candles));
    this.changed("last");
  }

  /** The page before what is shown; does nothing at the beginning of history. */
  async loadOlder(): Promise<void> {
    const first = this.series.candles[0];
    if (!first || this.loadingOlder || this.atBeginning) return;
    this.loadingOlder = true;
    try {
      const older = await this.fetch(new Date(first.start_ns / 1e6).toISOString());
      const before = older.filter((candle) => candle.start_ns < first.start_ns);
      this.atBeginning = before.length === 0;
      this.changed(this.series.addHistory(before));
    } finally {
      this.loadingOlder = false;
    }
  }

  snapshot({ candles, forming }: Snapshot): void {
    this.loaded = true;
    this.changed(this.series.snapshot(forming ? [...candles, forming] : candles));
    this.changed("last");
  }

  update({ candle, complete }: CandleUpdated): void {
    this.changed(this.series.update(candle, complete));
  }

  timeWentBack(atNs: number): void {
    this.changed(this.series.forgetFrom(atNs));
  }

  private async fetch(end?: string): Promise<Candle[]> {
    const page = await this.api.get<Page<RestCandle>>(
      `/candles/${encodeURIComponent(this.symbol)}`,
      { timeframe: this.timeframe, limit: PAGE, end },
    );
    return page.items.map((item) => ({
      ...item,
      symbol: this.symbol,
      timeframe: this.timeframe,
      start_ns: Date.parse(item.start) * 1e6,
      end_ns: Date.parse(item.end) * 1e6,
    }));
  }

  private changed(change: Change): void {
    if (change === "none") return;
    const idle = this.pending === "none";
    if (change === "all" || idle) this.pending = change;
    // Two candles began since the last drawing: the one before the last has to be drawn too.
    else if (this.series.last?.start_ns !== this.lastShown?.start_ns) this.pending = "all";
    if (idle) requestAnimationFrame(() => this.flush());
  }

  private flush(): void {
    const change = this.pending;
    this.pending = "none";
    this.lastShown = this.series.last;
    for (const draw of this.drawers) draw(change);
    for (const listener of this.watchers) listener();
  }
}

export function useCandleStore(
  symbol: string,
  timeframe: Timeframe,
  onFailure: (error: unknown) => void,
): CandleStore {
  const { api, stream } = useServices();
  const store = useMemo(() => new CandleStore(api, symbol, timeframe), [api, symbol, timeframe]);
  useEffect(() => {
    store.loadHistory().catch(onFailure);
    return stream.subscribe(`candles.${symbol}.${timeframe}`, {
      policy: "healed",
      onSnapshot: (data) => store.snapshot(data as Snapshot),
      onFrame: (data) => store.update(data as CandleUpdated),
    });
  }, [store, stream, symbol, timeframe, onFailure]);
  return store;
}

export function useLastCandle(store: CandleStore): Candle | undefined {
  return useSyncExternalStore(store.watch, store.last);
}

export type MarketTime = { atNs: number; paced: boolean } | null;

/** Market time, mark by mark. `onBack` hears of a run that began before the one until now. */
export class MarketClock {
  private now: MarketTime = null;
  private scheduled = false;
  private shown: MarketTime = null;
  private readonly watchers = new Set<() => void>();
  onBack: (atNs: number) => void = () => {};

  readonly watch = (listener: () => void): (() => void) => {
    this.watchers.add(listener);
    return () => this.watchers.delete(listener);
  };

  readonly get = (): MarketTime => this.shown;

  mark(mark: TimeMark): void {
    if (this.now && mark.at_ns < this.now.atNs) this.onBack(mark.at_ns);
    this.now = { atNs: mark.at_ns, paced: mark.paced };
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      this.shown = this.now;
      for (const listener of this.watchers) listener();
    });
  }
}

export function useMarketClock(store: CandleStore): MarketTime {
  const { stream } = useServices();
  const clock = useMemo(() => new MarketClock(), []);
  useEffect(() => {
    clock.onBack = (atNs) => store.timeWentBack(atNs);
  }, [clock, store]);
  useEffect(
    () =>
      stream.subscribe("time", {
        policy: "latest",
        onSnapshot: (data) => data && clock.mark(data as TimeMark),
        onFrame: (data) => clock.mark(data as TimeMark),
      }),
    [stream, clock],
  );
  return useSyncExternalStore(clock.watch, clock.get);
}
