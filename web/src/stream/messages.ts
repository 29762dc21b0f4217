/**
 * What comes over the WebSocket: the shapes of `shared/models`. Decimals are strings; prices and
 * sizes of market data are numbers; times of market data are nanoseconds.
 */

import type { Execution, Order, OrderStatus, Position, Timeframe } from "../api/types";

export type { Execution, Mode, Order, OrderStatus, Position, Side, Timeframe } from "../api/types";

export const TIMEFRAMES: readonly Timeframe[] = [
  "1m",
  "3m",
  "5m",
  "15m",
  "30m",
  "1h",
  "4h",
  "1d",
  "1w",
];
export type Candle = {
  symbol: string;
  timeframe: Timeframe;
  start_ns: number;
  end_ns: number;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
};

/** `corrected`: it was complete before, and is another now. */
export type CandleUpdated = {
  type: "candle";
  candle: Candle;
  complete: boolean;
  corrected?: boolean;
};

export type OrderUpdated = { type: "order"; order: Order; event: OrderStatus; cash: string };
export type OrderExecuted = {
  type: "execution";
  execution: Execution;
  order: Order;
  position: Position;
  cash: string;
};
export type PositionChanged = { type: "position"; position: Position; cash: string };
export type EquityMarked = {
  type: "equity";
  at: string;
  cash: string;
  equity: string;
  unrealized_pnl: string;
  prices: Record<string, string>;
};
export type TimeMark = { type: "mark"; number: number; at_ns: number; paced: boolean };

export const WORKING: ReadonlySet<OrderStatus> = new Set([
  "new",
  "held",
  "accepted",
  "partially_filled",
]);

export type ServerMessage =
  | { op: "authenticated" }
  | { op: "pong" }
  | { op: "unsubscribed"; topic: string }
  | { op: "conflated"; topic: string; seq: number }
  | { op: "snapshot"; topic: string; seq: number; data: unknown }
  | { op: "resumed"; topic: string; seq: number }
  | { op: "error"; code: string; message: string; topic?: string }
  | { op?: undefined; topic: string; seq: number; data: unknown };
