import {
  type AutoscaleInfo,
  CandlestickSeries,
  ColorType,
  CrosshairMode,
  createChart,
  createSeriesMarkers,
  HistogramSeries,
  type IChartApi,
  type IPriceLine,
  type ISeriesApi,
  type ISeriesMarkersPluginApi,
  LineStyle,
  type Time,
  type UTCTimestamp,
} from "lightweight-charts";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { onThemeChange } from "../app/theme";
import { add, subtract } from "../numbers/decimal";
import { formatDecimal, formatPrice } from "../numbers/format";
import { secondsFromNs } from "../numbers/time";
import type { Candle, Execution, Order, Position } from "../stream/messages";
import type { CandleStore } from "./candleStore";
import type { Change } from "./candles";

type Props = {
  store: CandleStore;
  priceDigits: number;
  executions: readonly Execution[];
  orders: readonly Order[];
  position: Position | undefined;
};

/** History is asked for when fewer candles than this are left of what is seen. */
const LOAD_OLDER_AT = 40;

/** Candles of empty space at the right. */
const RIGHT_OFFSET = 6;

type Drawn = {
  chart: IChartApi;
  candles: ISeriesApi<"Candlestick">;
  volume: ISeriesApi<"Histogram">;
  markers: ISeriesMarkersPluginApi<Time>;
};

export function CandleChart({ store, priceDigits, executions, orders, position }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const [drawn, setDrawn] = useState<Drawn | null>(null);
  const [hovered, setHovered] = useState<Candle | null>(null);
  const [shown, setShown] = useState<Candle | undefined>(store.series.last);
  const [count, setCount] = useState(store.series.candles.length);

  useEffect(() => {
    if (!box.current) return;
    const made = makeChart(box.current);
    const recolour = () => applyColours(made);
    recolour();
    const endTheme = onThemeChange(recolour);
    setDrawn(made);
    return () => {
      endTheme();
      setDrawn(null);
      // After the cleanups of the other effects, which still speak to the chart.
      queueMicrotask(() => made.chart.remove());
    };
  }, []);

  useEffect(() => {
    if (!drawn) return;
    const { chart, candles } = drawn;
    candles.applyOptions({
      priceFormat: { type: "price", precision: priceDigits, minMove: 10 ** -priceDigits },
    });
    const draw = (change: Change) => {
      drawCandles(drawn, store, change);
      setShown(store.series.last);
      setCount(store.series.candles.length);
    };
    draw("all");
    chart.timeScale().applyOptions({ rightOffset: RIGHT_OFFSET, barSpacing: 8 });
    chart.timeScale().scrollToRealTime();
    const older = () => {
      const range = chart.timeScale().getVisibleLogicalRange();
      // Failing leaves the chart as it is; scrolling on asks again.
      if (range && range.from < LOAD_OLDER_AT) void store.loadOlder().catch(() => undefined);
    };
    const hover = (param: { time?: Time }) => {
      const at = param.time as UTCTimestamp | undefined;
      setHovered(
        at === undefined
          ? null
          : (store.series.candles.find((c) => secondsFromNs(c.start_ns) === at) ?? null),
      );
    };
    chart.timeScale().subscribeVisibleLogicalRangeChange(older);
    chart.subscribeCrosshairMove(hover);
    const end = store.onDraw(draw);
    return () => {
      end();
      chart.timeScale().unsubscribeVisibleLogicalRangeChange(older);
      chart.unsubscribeCrosshairMove(hover);
    };
  }, [drawn, store, priceDigits]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new candle moves its markers
  useEffect(() => {
    if (drawn) drawMarkers(drawn, store, executions);
  }, [drawn, store, executions, count]);

  useEffect(() => {
    return drawn ? drawLines(drawn, orders, position) : undefined;
  }, [drawn, orders, position]);

  const onKey = (event: KeyboardEvent) => drawn && moveByKey(drawn.chart, event);
  const legend = hovered ?? shown;
  return (
    <div className="chart">
      <Legend candle={legend} digits={priceDigits} />
      <div
        ref={box}
        className="chart-canvas"
        role="application"
        aria-label={`Candles of ${store.symbol}, ${store.timeframe}. Arrow keys scroll, plus and minus zoom, End goes to now.`}
        data-candles={count}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: scrolled by keyboard
        tabIndex={0}
        onKeyDown={onKey}
      />
      {count === 0 && store.loaded ? (
        <div className="chart-empty">
          <p className="empty-title">No candles of {store.symbol} yet</p>
          <p>They are drawn here as soon as the market, or a replay, brings trades.</p>
        </div>
      ) : null}
    </div>
  );
}

function Legend({ candle, digits }: { candle: Candle | undefined; digits: number }) {
  if (!candle) return <div className="legend" />;
  const direction = candle.close >= candle.open ? "gain" : "loss";
  const price = (value: number) => <b className={direction}>{formatPrice(value, digits)}</b>;
  return (
    <div className="legend">
      <span>
        {new Date(candle.start_ns / 1e6).toISOString().slice(0, 16).replace("T", " ")} UTC
      </span>
      <span>O {price(candle.open)}</span>
      <span>H {price(candle.high)}</span>
      <span>L {price(candle.low)}</span>
      <span>C {price(candle.close)}</span>
      <span>
        V <b>{formatDecimal(String(candle.volume), 0, 2)}</b>
      </span>
    </div>
  );
}

function makeChart(box: HTMLElement): Drawn {
  const chart = createChart(box, {
    autoSize: true,
    crosshair: { mode: CrosshairMode.Normal },
    // The logo brings a style element, which the content security policy forbids; the footer
    // names and links the maker instead.
    layout: { attributionLogo: false, fontFamily: '"Inter Variable", system-ui, sans-serif' },
    timeScale: { timeVisible: true, secondsVisible: false },
  });
  const candles = chart.addSeries(CandlestickSeries, { borderVisible: false });
  const volume = chart.addSeries(HistogramSeries, {
    priceScaleId: "volume",
    priceFormat: { type: "volume" },
    lastValueVisible: false,
    priceLineVisible: false,
    autoscaleInfoProvider: fromZero,
  });
  chart.priceScale("right").applyOptions({ scaleMargins: { top: 0.12, bottom: 0.24 } });
  chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
  return { chart, candles, volume, markers: createSeriesMarkers(candles, []) };
}

function fromZero(original: () => AutoscaleInfo | null): AutoscaleInfo | null {
  const info = original();
  return info?.priceRange
    ? { ...info, priceRange: { minValue: 0, maxValue: info.priceRange.maxValue } }
    : info;
}

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function applyColours({ chart, candles, volume }: Drawn): void {
  const line = colour("--line");
  chart.applyOptions({
    layout: {
      background: { type: ColorType.Solid, color: colour("--panel") },
      textColor: colour("--muted"),
      fontSize: 11,
    },
    grid: { vertLines: { color: colour("--grid") }, horzLines: { color: colour("--grid") } },
    rightPriceScale: { borderColor: line },
    timeScale: { borderColor: line },
  });
  const up = colour("--up");
  const down = colour("--down");
  candles.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down });
  volume.applyOptions({ color: colour("--volume") });
}

function drawCandles({ candles, volume }: Drawn, store: CandleStore, change: Change): void {
  const bar = (c: Candle) => ({
    time: secondsFromNs(c.start_ns) as UTCTimestamp,
    open: c.open,
    high: c.high,
    low: c.low,
    close: c.close,
  });
  const column = (c: Candle) => ({
    time: secondsFromNs(c.start_ns) as UTCTimestamp,
    value: c.volume,
  });
  const { last } = store.series;
  if (change === "all") {
    candles.setData(store.series.candles.map(bar));
    volume.setData(store.series.candles.map(column));
  } else if (last) {
    candles.update(bar(last));
    volume.update(column(last));
  }
}

function drawMarkers(drawn: Drawn, store: CandleStore, executions: readonly Execution[]): void {
  const markers = executions
    .flatMap((execution) => {
      const start = store.series.startOf(Date.parse(execution.at) * 1e6);
      if (start === null) return [];
      const buy = execution.side === "buy";
      return {
        time: secondsFromNs(start) as UTCTimestamp,
        position: buy ? ("belowBar" as const) : ("aboveBar" as const),
        shape: buy ? ("arrowUp" as const) : ("arrowDown" as const),
        color: colour(buy ? "--accent" : "--sell-mark"),
        text: formatDecimal(execution.qty),
      };
    })
    .sort((a, b) => a.time - b.time);
  drawn.markers.setMarkers(markers);
}

function drawLines(
  { candles }: Drawn,
  orders: readonly Order[],
  position: Position | undefined,
): () => void {
  const lines: IPriceLine[] = [];
  if (position) {
    lines.push(
      candles.createPriceLine({
        price: Number(position.avg_price),
        color: colour("--accent"),
        lineStyle: LineStyle.Dotted,
        lineWidth: 1,
        title: `avg · ${formatDecimal(position.qty)}`,
      }),
    );
  }
  for (const { side, price, qty } of levels(orders)) {
    lines.push(
      candles.createPriceLine({
        price: Number(price),
        color: colour(side === "buy" ? "--up" : "--down"),
        lineStyle: LineStyle.Dashed,
        lineWidth: 1,
        title: `${side} ${formatDecimal(qty)}`,
      }),
    );
  }
  return () => {
    for (const line of lines) candles.removePriceLine(line);
  };
}

type Level = { side: Order["side"]; price: string; qty: string };

/** Orders at one price are one line with their sum. */
function levels(orders: readonly Order[]): Iterable<Level> {
  const found = new Map<string, Level>();
  for (const { side, limit_price: price, qty, filled_qty } of orders) {
    if (price === null) continue;
    const open = subtract(qty, filled_qty);
    const known = found.get(`${side} ${price}`);
    found.set(`${side} ${price}`, { side, price, qty: known ? add(known.qty, open) : open });
  }
  return found.values();
}

function moveByKey(chart: IChartApi, event: KeyboardEvent): void {
  const scale = chart.timeScale();
  const range = scale.getVisibleLogicalRange();
  if (!range) return;
  const width = range.to - range.from;
  const shift = (by: number) =>
    scale.setVisibleLogicalRange({ from: range.from + by, to: range.to + by });
  const zoom = (factor: number) =>
    scale.setVisibleLogicalRange({ from: range.to - width * factor, to: range.to });
  const moves: Record<string, () => void> = {
    ArrowLeft: () => shift(-width / 8),
    ArrowRight: () => shift(width / 8),
    "+": () => zoom(0.8),
    "=": () => zoom(0.8),
    "-": () => zoom(1.25),
    End: () => scale.scrollToPosition(RIGHT_OFFSET, false),
  };
  const move = moves[event.key];
  if (!move || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  move();
}
