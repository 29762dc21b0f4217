import { describe, expect, test } from "vitest";
import type { Candle } from "../stream/messages";
import { CandleSeries } from "./candles";

const candle = (start: number, close = 1): Candle => ({
  symbol: "SPY",
  timeframe: "1m",
  start_ns: start,
  end_ns: start + 1,
  open: 1,
  high: 1,
  low: 1,
  close,
  volume: 1,
});

const starts = (series: CandleSeries) => series.candles.map((item) => item.start_ns);

describe("a candle series", () => {
  test("a forming candle changes in place until the next one starts", () => {
    const series = new CandleSeries();
    series.snapshot([candle(1), candle(2)]);
    expect(series.update(candle(2, 5), false)).toBe("last");
    expect(series.update(candle(3), false)).toBe("last");
    expect(starts(series)).toEqual([1, 2, 3]);
    expect(series.candles[1]?.close).toBe(5);
  });

  test("a snapshot replaces what it covers and keeps older history", () => {
    const series = new CandleSeries();
    series.addHistory([candle(1), candle(2, 7), candle(9)]);
    series.snapshot([candle(2, 8), candle(3)]);
    expect(starts(series)).toEqual([1, 2, 3]);
    expect(series.candles[1]?.close).toBe(8);
  });

  test("history never overwrites what came live", () => {
    const series = new CandleSeries();
    series.snapshot([candle(5, 9)]);
    series.addHistory([candle(4), candle(5, 1)]);
    expect(starts(series)).toEqual([4, 5]);
    expect(series.last?.close).toBe(9);
    expect(series.addHistory([candle(4)])).toBe("none");
  });

  test("a candle that completes late is put in its place", () => {
    const series = new CandleSeries();
    series.snapshot([candle(1), candle(3)]);
    expect(series.update(candle(2), true)).toBe("all");
    expect(starts(series)).toEqual([1, 2, 3]);
  });

  test("a run that begins in the past takes away what lies ahead of it", () => {
    const series = new CandleSeries();
    series.snapshot([candle(1), candle(2), candle(3), candle(4)]);
    series.update(candle(2, 6), false);
    expect(starts(series)).toEqual([1, 2]);
    expect(series.last?.close).toBe(6);
    expect(series.forgetFrom(2)).toBe("all");
    expect(starts(series)).toEqual([1]);
    expect(series.forgetFrom(2)).toBe("none");
  });

  test("a moment belongs to the last candle that started at or before it", () => {
    const series = new CandleSeries();
    series.snapshot([candle(10), candle(20)]);
    expect([9, 10, 19, 20, 500].map((ns) => series.startOf(ns))).toEqual([null, 10, 10, 20, 20]);
  });
});
