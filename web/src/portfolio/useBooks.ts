import { useEffect, useMemo, useSyncExternalStore } from "react";
import { useServices } from "../app/services";
import type {
  EquityMarked,
  Execution,
  Mode,
  Order,
  OrderExecuted,
  OrderUpdated,
  Position,
  PositionChanged,
} from "../stream/messages";
import {
  type Books,
  EMPTY_BOOKS,
  onExecution,
  onOrder,
  onPosition,
  withEquity,
  withExecutions,
  withOrders,
  withPositions,
} from "./books";

/** Changes come faster than they can be read: the page is told once a frame. */
class BooksStore {
  private books: Books = EMPTY_BOOKS;
  private shown: Books = EMPTY_BOOKS;
  private scheduled = false;
  private readonly listeners = new Set<() => void>();

  readonly get = (): Books => this.shown;

  readonly watch = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  change(next: (books: Books) => Books): void {
    this.books = next(this.books);
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      this.shown = this.books;
      for (const listener of this.listeners) listener();
    });
  }
}

/** The books of one account and mode, live. */
export function useBooks(accountId: string, mode: Mode): Books {
  const { stream } = useServices();
  // biome-ignore lint/correctness/useExhaustiveDependencies: each account has a store of its own
  const store = useMemo(() => new BooksStore(), [accountId, mode]);

  useEffect(() => {
    const topic = (kind: string) => `accounts.${accountId}.${mode}.${kind}`;
    const ends = [
      stream.subscribe(topic("orders"), {
        policy: "exact",
        onSnapshot: (data) => store.change((books) => withOrders(books, data as Order[])),
        onFrame: (data) => store.change((books) => onOrder(books, data as OrderUpdated)),
      }),
      stream.subscribe(topic("executions"), {
        policy: "exact",
        onSnapshot: (data) => store.change((books) => withExecutions(books, data as Execution[])),
        onFrame: (data) => store.change((books) => onExecution(books, data as OrderExecuted)),
      }),
      stream.subscribe(topic("positions"), {
        policy: "exact",
        onSnapshot: (data) => store.change((books) => withPositions(books, data as Position[])),
        onFrame: (data) => store.change((books) => onPosition(books, data as PositionChanged)),
      }),
      stream.subscribe(topic("equity"), {
        policy: "latest",
        onSnapshot: (data) => store.change((books) => withEquity(books, data as EquityMarked)),
        onFrame: (data) => store.change((books) => withEquity(books, data as EquityMarked)),
      }),
    ];
    return () => {
      for (const end of ends) end();
    };
  }, [stream, store, accountId, mode]);

  return useSyncExternalStore(store.watch, store.get);
}
