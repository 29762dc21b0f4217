import type { Execution, Mode, Order, Position, Timeframe } from "../stream/messages";

export type { Execution, Mode, Order, Position, Timeframe };

export type Page<T> = { items: T[]; next_cursor: string | null };

export type Role = "trader" | "investor" | "admin";
export type User = { id: string; email: string; username: string; role: Role };

export type Account = {
  id: string;
  owner_id: string;
  name: string;
  base_currency: string;
  status: "active" | "closed";
  paper_capital: string;
  paper_fee_bps: string;
  paper_slippage_bps: string;
  created_at: string;
};

export type Portfolio = {
  cash: string;
  equity: string;
  unrealized_pnl: string;
};

export type Instrument = {
  symbol: string;
  name: string;
  exchange: string;
  currency: string;
  tick_size: string;
  lot_size: string;
  tradable: boolean;
};

export type RestCandle = {
  start: string;
  end: string;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
  complete: boolean;
};

export type Strategy = {
  name: string;
  title: string;
  description: string;
  parameters: JsonSchema;
};

export type JsonSchema = {
  properties?: Record<string, PropertySchema>;
  required?: string[];
};

export type PropertySchema = {
  type?: string;
  title?: string;
  description?: string;
  default?: unknown;
  minimum?: number | string;
  maximum?: number | string;
  enum?: unknown[];
  format?: string;
};

export type Deployment = {
  id: string;
  mode: Mode;
  strategy: string;
  parameters: Record<string, unknown>;
  symbols: string[];
  timeframe: Timeframe;
  wanted: "running" | "stopped";
  status: "starting" | "running" | "paused" | "stopped";
  last_error: string | null;
  signals: number;
  created_at: string;
  updated_at: string;
};

export type MarketFile = {
  id: string;
  name: string;
  rows: number;
  symbols: string[];
  first_at: string;
  last_at: string;
};

export type Replay = {
  id: string;
  status: "running" | "finished" | "stopped" | "failed";
  request: Record<string, unknown>;
  ticks: number;
  total_ticks: number | null;
  market_time: string | null;
  error: string | null;
  created_at: string;
  finished_at: string | null;
};

export type TerminalConfig = { websocket_url: string; environment: string };
