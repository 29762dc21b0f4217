import { describe, expect, test } from "vitest";
import type { Execution, Order, Position } from "../stream/messages";
import {
  EMPTY_BOOKS,
  onExecution,
  onOrder,
  openPositions,
  realizedProfit,
  unrealizedOf,
  withEquity,
  withOrders,
  withPositions,
  workingOrders,
} from "./books";

const order = (seq: number, status: Order["status"], id = "o1"): Order => ({
  id,
  account_id: "a1",
  client_order_id: id,
  mode: "paper",
  symbol: "SPY",
  side: "buy",
  type: "limit",
  time_in_force: "gtc",
  qty: "10",
  limit_price: "100.00",
  status,
  filled_qty: "0",
  filled_avg_price: null,
  reason_code: null,
  reason: null,
  deployment_id: null,
  submitted_by: "user:1",
  seq,
  submitted_at: `2026-01-02T10:00:0${seq}Z`,
  updated_at: `2026-01-02T10:00:0${seq}Z`,
  stop_price: null,
  trail_price: null,
  trail_percent: null,
  hwm: null,
  queue_ahead: null,
  due_at: null,
  triggered_at: null,
  expires_at: null,
  replaces: null,
  replaced_by: null,
  closes_position: false,
  order_class: "simple",
  group_id: null,
  group_role: null,
  protects_position: false,
  notional: null,
  extended_hours: true,
});

const position = (qty: string, second: number, realized = "0"): Position => ({
  account_id: "a1",
  mode: "paper",
  symbol: "SPY",
  qty,
  avg_price: "100.10",
  realized_pnl: realized,
  fees: "0",
  updated_at: `2026-01-02T10:00:0${second}Z`,
});

const execution: Execution = {
  id: "e1",
  account_id: "a1",
  mode: "paper",
  order_id: "o1",
  deployment_id: null,
  symbol: "SPY",
  side: "buy",
  qty: "10",
  price: "100.10",
  fee: "0.05",
  realized_pnl: "0",
  seq: 1,
  at: "2026-01-02T10:00:03Z",
  fx_rate: null,
  realized_pnl_base: null,
};

describe("books", () => {
  test("an order leaves the working ones when it is done", () => {
    const accepted = onOrder(EMPTY_BOOKS, {
      type: "order",
      order: order(1, "accepted"),
      event: "accepted",
      cash: "1000",
    });
    expect(workingOrders(accepted)).toHaveLength(1);
    const cancelled = onOrder(accepted, {
      type: "order",
      order: order(2, "cancelled"),
      event: "cancelled",
      cash: "1000",
    });
    expect(workingOrders(cancelled)).toHaveLength(0);
    expect(cancelled.orders.get("o1")?.status).toBe("cancelled");
  });

  test("a state that was overtaken doesn't bring an order back to work", () => {
    const filled = withOrders(EMPTY_BOOKS, [order(3, "filled")]);
    const late = onOrder(filled, {
      type: "order",
      order: order(2, "accepted"),
      event: "accepted",
      cash: "1",
    });
    expect(late.orders.get("o1")?.status).toBe("filled");
  });

  test("an execution changes order, position and cash, and counts once", () => {
    const event = {
      type: "execution" as const,
      execution,
      order: order(2, "filled"),
      position: position("10", 3),
      cash: "8998.95",
    };
    const once = onExecution(EMPTY_BOOKS, event);
    const twice = onExecution(once, event);
    expect(twice.executions).toHaveLength(1);
    expect(twice.cash).toBe("8998.95");
    expect(openPositions(twice)[0]?.qty).toBe("10");
    expect(twice.prices.SPY).toBe("100.10");
  });

  test("a closed position isn't open, but its profit stays", () => {
    const books = withPositions(EMPTY_BOOKS, [position("0.000", 1, "12.50")]);
    expect(openPositions(books)).toEqual([]);
    expect(realizedProfit(books)).toBe("12.5");
  });

  test("unrealised profit is exact, and unknown without a price", () => {
    expect(unrealizedOf(position("3", 1), "100.40")).toBe("0.9");
    expect(unrealizedOf(position("3", 1), undefined)).toBe(null);
  });

  test("a mark of equity keeps prices of other symbols", () => {
    const mark = { at: "", cash: "1", equity: "2", unrealized_pnl: "0" };
    const first = withEquity(EMPTY_BOOKS, { ...mark, prices: { SPY: "1" } });
    const second = withEquity(first, { ...mark, prices: { IBM: "2" } });
    expect(second.prices).toEqual({ SPY: "1", IBM: "2" });
  });
});
