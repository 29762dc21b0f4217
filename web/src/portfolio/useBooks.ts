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
import type { Policy } from "../stream/sequence";
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
  withTrouble,
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
    const follow = <S, F>(
      kind: string,
      policy: Policy,
      onSnapshot: (books: Books, data: S) => Books,
      onFrame: (books: Books, data: F) => Books,
    ) =>
      stream.subscribe(`accounts.${accountId}.${mode}.${kind}`, {
        policy,
        onSnapshot: (data) =>
          store.change((books) => withTrouble(onSnapshot(books, data as S), null)),
        onFrame: (data) => store.change((books) => onFrame(books, data as F)),
        onRefused: (message) => store.change((books) => withTrouble(books, message)),
      });
    const ends = [
      follow<Order[], OrderUpdated>("orders", "exact", withOrders, onOrder),
      follow<Execution[], OrderExecuted>("executions", "exact", withExecutions, onExecution),
      follow<Position[], PositionChanged>("positions", "exact", withPositions, onPosition),
      follow<EquityMarked, EquityMarked>("equity", "latest", withEquity, withEquity),
    ];
    return () => {
      for (const end of ends) end();
    };
  }, [stream, store, accountId, mode]);

  return useSyncExternalStore(store.watch, store.get);
}
