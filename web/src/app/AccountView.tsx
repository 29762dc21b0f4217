import { type ReactNode, useEffect, useMemo, useState } from "react";
import type { Account } from "../api/types";
import type { Market } from "../market/MarketView";
import { sign } from "../numbers/decimal";
import { ExecutionsTable } from "../orders/ExecutionsTable";
import { OrdersTable } from "../orders/OrdersTable";
import { type Draft, OrderTicket } from "../orders/OrderTicket";
import { openPositions, workingOrders } from "../portfolio/books";
import { PositionsTable } from "../portfolio/PositionsTable";
import { Summary } from "../portfolio/Summary";
import { useBooks } from "../portfolio/useBooks";
import { DeploymentsPanel } from "../strategies/DeploymentsPanel";
import type { Mode, Position, Timeframe } from "../stream/messages";
import { Empty, Failure, Loading } from "../ui/Notice";
import { Tabs } from "../ui/Tabs";
import type { View } from "./Terminal";

type Props = {
  account: Account;
  mode: Mode;
  canTrade: boolean;
  market: Market;
  symbol: string;
  timeframe: Timeframe;
  onSymbol(symbol: string): void;
  onView(view: View): void;
  /** In place of the ticket. */
  aside: ReactNode;
};

const NEW_DRAFT: Draft = { side: "buy", type: "market", qty: "1", limitPrice: "" };

export function AccountView(props: Props) {
  const { account, mode, canTrade, market, symbol, timeframe, onSymbol, onView, aside } = props;
  const books = useBooks(account.id, mode);
  const [tab, setTab] = useState("positions");
  const [draft, setDraft] = useState<Draft>(NEW_DRAFT);
  useSideKeys(canTrade, (side) => setDraft((old) => ({ ...old, side })));

  const position = books.positions.get(symbol);
  const held = position && sign(position.qty) !== 0 ? position : undefined;
  const working = useMemo(() => workingOrders(books), [books]);
  const markers = useMemo(
    () => books.executions.filter((one) => one.symbol === symbol),
    [books.executions, symbol],
  );
  const lines = useMemo(() => working.filter((one) => one.symbol === symbol), [working, symbol]);

  const prepareToClose = (closing: Position) => {
    onSymbol(closing.symbol);
    const short = sign(closing.qty) < 0;
    setDraft({
      side: short ? "buy" : "sell",
      type: "market",
      qty: closing.qty.replace("-", ""),
      limitPrice: "",
    });
    onView("trade");
  };

  return (
    <>
      <Summary account={account} books={books} />
      {books.trouble ? <Failure>{books.trouble}</Failure> : null}
      <main className="workspace">
        {market.chart(markers, lines, held)}
        <aside className="side" aria-label={aside ? "Administration" : "Trade"}>
          {aside ?? null}
          {!aside && !canTrade ? (
            <Empty title="You can look, but not trade">This account belongs to someone else.</Empty>
          ) : null}
          {!aside && canTrade && market.instrument ? (
            <OrderTicket
              account={account}
              mode={mode}
              instrument={market.instrument}
              lastPrice={market.lastPrice}
              cash={books.cash}
              held={position?.qty ?? "0"}
              draft={draft}
              onDraft={setDraft}
            />
          ) : null}
          {!aside && canTrade && !market.instrument ? <Loading what="the instrument" /> : null}
        </aside>
        <section className="books" aria-label="Books">
          <Tabs
            label="Books"
            selected={tab}
            onSelect={setTab}
            tabs={[
              {
                id: "positions",
                title: "Positions",
                count: openPositions(books).length,
                content: (
                  <PositionsTable
                    books={books}
                    onPick={onSymbol}
                    onClose={canTrade ? prepareToClose : undefined}
                  />
                ),
              },
              {
                id: "orders",
                title: "Orders",
                count: working.length,
                content: <OrdersTable books={books} accountId={account.id} canTrade={canTrade} />,
              },
              {
                id: "executions",
                title: "Executions",
                content: <ExecutionsTable books={books} />,
              },
              {
                id: "strategies",
                title: "Strategies",
                content: (
                  <DeploymentsPanel
                    accountId={account.id}
                    mode={mode}
                    symbol={symbol}
                    timeframe={timeframe}
                    canTrade={canTrade}
                  />
                ),
              },
            ]}
          />
        </section>
      </main>
    </>
  );
}

function useSideKeys(active: boolean, onSide: (side: "buy" | "sell") => void): void {
  useEffect(() => {
    if (!active) return;
    const choose = (event: KeyboardEvent) => {
      if (!event.altKey || event.ctrlKey || event.metaKey) return;
      const side = event.code === "KeyB" ? "buy" : event.code === "KeyS" ? "sell" : null;
      if (!side) return;
      event.preventDefault();
      onSide(side);
    };
    window.addEventListener("keydown", choose);
    return () => window.removeEventListener("keydown", choose);
  });
}
