/** Shapes of the REST API, by their names here. `schema.d.ts` is generated from the gateway. */

import type { components } from "./schema";

type Schemas = components["schemas"];

export type Page<T> = { items: T[]; next_cursor?: string | null };

export type User = Schemas["UserView"];
export type Registration = Schemas["Registration"];
export type TokenPair = Schemas["TokenPair"];
export type Account = Schemas["AccountView"];
export type AccountOpening = Schemas["AccountOpening"];
export type Instrument = Schemas["InstrumentView"];
export type RestCandle = Schemas["CandleView"];
export type Order = Schemas["OrderView"];
export type OrderTicketBody = Schemas["OrderTicket"];
export type Execution = Schemas["ExecutionView"];
export type Position = Schemas["PositionView"];
export type Deployment = Schemas["DeploymentView"];
export type DeploymentRequest = Schemas["DeploymentRequest"];
export type MarketFile = Schemas["MarketFileView"];
export type Replay = Schemas["ReplayView"];
export type ReplayRequest = Schemas["ReplayRequest"];
export type TerminalConfig = Schemas["ClientConfig"];

export type Mode = Order["mode"];
export type Side = Order["side"];
export type OrderStatus = Order["status"];
export type Timeframe = Deployment["timeframe"];

/** A strategy; the API says no more of its parameters than that they are a JSON schema. */
export type Strategy = Omit<Schemas["StrategyView"], "parameters"> & { parameters: JsonSchema };

export type JsonSchema = { properties?: Record<string, PropertySchema> };

export type PropertySchema = {
  type?: string;
  title?: string;
  description?: string;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  enum?: unknown[];
};
