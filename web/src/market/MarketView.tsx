import { lazy, type ReactNode, Suspense, useCallback } from "react";
import { sentence } from "../api/problem";
import type { Instrument } from "../api/types";
import { useServices } from "../app/services";
import { useLoaded } from "../app/useLoaded";
import { fractionDigits } from "../numbers/decimal";
import { formatChange, formatPercent, formatPrice, tone } from "../numbers/format";
import {
  type Execution,
  type Order,
  type Position,
  TIMEFRAMES,
  type Timeframe,
} from "../stream/messages";
import { Choice } from "../ui/Choice";
import { Failure, Loading } from "../ui/Notice";
import { useToast } from "../ui/Toasts";
import {
  type CandleStore,
  type MarketTime,
  useCandleStore,
  useLastCandle,
  useMarketClock,
} from "./candleStore";

// The chart is the largest part by far; signing in doesn't wait for it.
const CandleChart = lazy(() =>
  import("./CandleChart").then((module) => ({ default: module.CandleChart })),
);

export type Market = {
  time: MarketTime;
  instrument: Instrument | undefined;
  /** As a decimal with the digits of the instrument's tick. */
  lastPrice: string | undefined;
  chart(
    executions: readonly Execution[],
    orders: readonly Order[],
    position: Position | undefined,
  ): ReactNode;
};

type Props = {
  symbol: string;
  timeframe: Timeframe;
  onTimeframe(timeframe: Timeframe): void;
  children(market: Market): ReactNode;
};

const DEFAULT_DIGITS = 2;

/** One symbol's candles and time, for everything on the screen that needs them. */
export function MarketView({ symbol, timeframe, onTimeframe, children }: Props) {
  const { api } = useServices();
  const toast = useToast();
  const onFailure = useCallback((error: unknown) => toast(sentence(error), true), [toast]);
  const load = useCallback(
    () => api.get<Instrument>(`/instruments/${encodeURIComponent(symbol)}`),
    [api, symbol],
  );
  const { data: instrument, error, reload } = useLoaded(load);
  const store = useCandleStore(symbol, timeframe, onFailure);
  const time = useMarketClock(store);
  const last = useLastCandle(store);
  const digits = instrument ? fractionDigits(instrument.tick_size) : DEFAULT_DIGITS;

  const chart: Market["chart"] = (executions, orders, position) => (
    <section className="market" aria-label="Chart">
      <div className="market-head">
        <Quote store={store} symbol={symbol} name={instrument?.name} digits={digits} />
        <Choice<Timeframe>
          label="Timeframe"
          value={timeframe}
          onChange={onTimeframe}
          className="compact timeframes"
          options={TIMEFRAMES.map((value, at) => ({ value, text: value, title: `Alt+${at + 1}` }))}
        />
      </div>
      {error ? (
        <Failure
          action={
            <button type="button" onClick={reload}>
              Try again
            </button>
          }
        >
          {error}
        </Failure>
      ) : null}
      <Suspense fallback={<Loading what="the chart" />}>
        <CandleChart
          store={store}
          priceDigits={digits}
          executions={executions}
          orders={orders}
          position={position}
        />
      </Suspense>
    </section>
  );
  return children({ time, instrument, lastPrice: last?.close.toFixed(digits), chart });
}

type QuoteProps = { store: CandleStore; symbol: string; name: string | undefined; digits: number };

function Quote({ store, symbol, name, digits }: QuoteProps) {
  const last = useLastCandle(store);
  const first = last && firstOfDay(store, last.start_ns);
  const change = last && first ? last.close - first : null;
  return (
    <div className="quote">
      <h1>{symbol}</h1>
      <span className="name">{name}</span>
      {last ? (
        <>
          <strong className="last-price">{formatPrice(last.close, digits)}</strong>
          {change !== null && first ? (
            <span
              className={tone(change.toFixed(digits))}
              title="Since the day's first candle (UTC)"
            >
              {formatChange(change.toFixed(digits))} ({formatPercent(change / first)})
            </span>
          ) : null}
        </>
      ) : null}
    </div>
  );
}

const DAY_NS = 86_400 * 1e9;

function firstOfDay(store: CandleStore, ns: number): number | undefined {
  const midnight = Math.floor(ns / DAY_NS) * DAY_NS;
  return store.series.candles[store.series.indexFrom(midnight)]?.open;
}
