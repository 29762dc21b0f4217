import { add, multiply, sign, subtract } from "../numbers/decimal";
import {
  type EquityMarked,
  type Execution,
  type Order,
  type OrderExecuted,
  type OrderUpdated,
  type Position,
  type PositionChanged,
  WORKING,
} from "../stream/messages";

/** An account's books in one mode, as the terminal knows them. Immutable: changes make new ones. */
export type Books = {
  orders: ReadonlyMap<string, Order>;
  /** Newest first. */
  executions: readonly Execution[];
  positions: ReadonlyMap<string, Position>;
  /** Last prices that the equity was marked at. */
  prices: Readonly<Record<string, string>>;
  cash: string | null;
  equity: string | null;
  unrealized: string | null;
  loaded: { orders: boolean; executions: boolean; positions: boolean; equity: boolean };
  /** Why some of it can't be read now; null when all is well. */
  trouble: string | null;
};

export const EMPTY_BOOKS: Books = {
  orders: new Map(),
  executions: [],
  positions: new Map(),
  prices: {},
  cash: null,
  equity: null,
  unrealized: null,
  loaded: { orders: false, executions: false, positions: false, equity: false },
  trouble: null,
};

/** Enough for a screen; all of them are in the order history. */
export const RECENT_EXECUTIONS = 200;
const RECENT_ORDERS = 500;

export function withOrders(books: Books, orders: readonly Order[]): Books {
  return {
    ...books,
    orders: new Map(orders.map((order) => [order.id, order])),
    loaded: { ...books.loaded, orders: true },
  };
}

export function withExecutions(books: Books, executions: readonly Execution[]): Books {
  const newest = executions.toSorted((a, b) => b.at.localeCompare(a.at) || b.seq - a.seq);
  return {
    ...books,
    executions: newest.slice(0, RECENT_EXECUTIONS),
    loaded: { ...books.loaded, executions: true },
  };
}

export function withPositions(books: Books, positions: readonly Position[]): Books {
  return {
    ...books,
    positions: new Map(positions.map((position) => [position.symbol, position])),
    loaded: { ...books.loaded, positions: true },
  };
}

export function withEquity(books: Books, marked: Omit<EquityMarked, "type">): Books {
  return {
    ...books,
    cash: marked.cash,
    equity: marked.equity,
    unrealized: marked.unrealized_pnl,
    prices: { ...books.prices, ...marked.prices },
    loaded: { ...books.loaded, equity: true },
  };
}

export function withTrouble(books: Books, trouble: string | null): Books {
  return books.trouble === trouble ? books : { ...books, trouble };
}

/** Topics of one account may overtake each other: an older state of an order changes nothing. */
function putOrder(orders: ReadonlyMap<string, Order>, order: Order): ReadonlyMap<string, Order> {
  const known = orders.get(order.id);
  if (known && known.seq > order.seq) return orders;
  const changed = new Map(orders).set(order.id, order);
  if (changed.size <= RECENT_ORDERS) return changed;
  for (const [id, old] of changed) {
    if (changed.size <= RECENT_ORDERS) break;
    if (!WORKING.has(old.status)) changed.delete(id);
  }
  return changed;
}

function putPosition(
  positions: ReadonlyMap<string, Position>,
  position: Position,
): ReadonlyMap<string, Position> {
  const known = positions.get(position.symbol);
  if (known && known.updated_at > position.updated_at) return positions;
  return new Map(positions).set(position.symbol, position);
}

export function onOrder(books: Books, event: OrderUpdated): Books {
  return { ...books, orders: putOrder(books.orders, event.order), cash: event.cash };
}

export function onExecution(books: Books, event: OrderExecuted): Books {
  const { execution } = event;
  const executions = books.executions.some((known) => known.id === execution.id)
    ? books.executions
    : [execution, ...books.executions].slice(0, RECENT_EXECUTIONS);
  return {
    ...books,
    executions,
    orders: putOrder(books.orders, event.order),
    positions: putPosition(books.positions, event.position),
    prices: { ...books.prices, [execution.symbol]: execution.price },
    cash: event.cash,
  };
}

export function onPosition(books: Books, event: PositionChanged): Books {
  return { ...books, positions: putPosition(books.positions, event.position), cash: event.cash };
}

export function workingOrders(books: Books): Order[] {
  return [...books.orders.values()]
    .filter((order) => WORKING.has(order.status))
    .sort((a, b) => b.submitted_at.localeCompare(a.submitted_at) || b.seq - a.seq);
}

export function recentOrders(books: Books, limit: number): Order[] {
  return [...books.orders.values()]
    .sort((a, b) => b.submitted_at.localeCompare(a.submitted_at) || b.seq - a.seq)
    .slice(0, limit);
}

export function openPositions(books: Books): Position[] {
  return [...books.positions.values()]
    .filter((position) => sign(position.qty) !== 0)
    .sort((a, b) => a.symbol.localeCompare(b.symbol));
}

/** Sum over all positions, the closed ones too, before fees. */
export function realizedProfit(books: Books): string {
  return [...books.positions.values()].reduce((sum, p) => add(sum, p.realized_pnl), "0");
}

/** Null while the symbol has no price. */
export function unrealizedOf(position: Position, price: string | undefined): string | null {
  if (price === undefined) return null;
  return multiply(subtract(price, position.avg_price), position.qty);
}
