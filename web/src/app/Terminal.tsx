import { useCallback, useEffect, useState } from "react";
import { OpenAccountForm } from "../accounts/OpenAccountForm";
import type { Account, Mode, Page, User } from "../api/types";
import { MarketView } from "../market/MarketView";
import { ReplayPanel } from "../replays/ReplayPanel";
import { TIMEFRAMES, type Timeframe } from "../stream/messages";
import { Dialog } from "../ui/Dialog";
import { Empty, Failure, Loading } from "../ui/Notice";
import { useToast } from "../ui/Toasts";
import { AccountView } from "./AccountView";
import { ShortcutsDialog } from "./ShortcutsDialog";
import { useServices } from "./services";
import { TopBar } from "./TopBar";
import { useLoaded } from "./useLoaded";
import { useStored } from "./useStored";

/** Live trading comes with brokers; until then every screen is on paper, and says so. */
const MODE: Mode = "paper";

/** On a narrow screen one of these is seen at a time. */
export type View = "chart" | "trade" | "books";

const VIEWS: readonly (readonly [View, string])[] = [
  ["chart", "Chart"],
  ["trade", "Trade"],
  ["books", "Books"],
];

export function Terminal({ user, onSignOut }: { user: User; onSignOut(): void }) {
  const { api } = useServices();
  const toast = useToast();
  const load = useCallback(() => api.get<Page<Account>>("/accounts", { limit: 200 }), [api]);
  const { data, error, reload } = useLoaded(load);
  const [accountId, setAccountId] = useStored(`account:${user.id}`, "");
  const [symbol, setSymbol] = useStored("symbol", "SPY");
  const [storedTimeframe, setTimeframe] = useStored("timeframe", "1m");
  const [chosenView, setView] = useState<View | null>(null);
  const [dialog, setDialog] = useState<"open_account" | "shortcuts" | null>(null);

  const accounts = data?.items ?? [];
  const account = accounts.find((one) => one.id === accountId) ?? accounts[0];
  const timeframe = TIMEFRAMES.find((one) => one === storedTimeframe) ?? "1m";
  // A newcomer begins where the first account is opened.
  const view = chosenView ?? (data && !account ? "trade" : "chart");
  const trader = user.role === "trader";
  const canTrade = trader && account?.owner_id === user.id && account.status === "active";

  const chooseSymbol = useCallback(
    (next: string) => {
      setSymbol(next);
      setView("chart");
    },
    [setSymbol],
  );
  useTimeframeKeys(setTimeframe);

  const opened = (fresh: Account) => {
    setAccountId(fresh.id);
    setDialog(null);
    reload();
    toast(`${fresh.name} is open.`);
  };

  return (
    <MarketView symbol={symbol} timeframe={timeframe} onTimeframe={setTimeframe}>
      {(market) => (
        <div className="terminal" data-mode={MODE} data-view={view}>
          <TopBar
            user={user}
            accounts={accounts}
            account={account}
            mode={MODE}
            symbol={symbol}
            marketTime={market.time}
            readOnly={account !== undefined && !canTrade}
            onAccount={setAccountId}
            onOpenAccount={trader ? () => setDialog("open_account") : undefined}
            onSymbol={chooseSymbol}
            onHelp={() => setDialog("shortcuts")}
            onSignOut={onSignOut}
          />
          {error ? <Failure action={<Retry onClick={reload} />}>{error}</Failure> : null}
          {!data && !error ? <Loading what="accounts" /> : null}
          {data && account ? (
            <AccountView
              key={account.id}
              account={account}
              mode={MODE}
              canTrade={canTrade}
              market={market}
              symbol={symbol}
              timeframe={timeframe}
              onSymbol={chooseSymbol}
              onView={setView}
              aside={user.role === "admin" ? <ReplayPanel /> : undefined}
            />
          ) : null}
          {data && !account ? (
            <main className="workspace">
              {market.chart([], [], undefined)}
              <aside className="side" aria-label="Start">
                {trader ? (
                  <>
                    <h2>Open your first account</h2>
                    <p className="hint">
                      A paper account trades play money on the real flow of prices. You can have
                      several, each with its own strategies.
                    </p>
                    <OpenAccountForm onOpened={opened} />
                  </>
                ) : user.role === "admin" ? (
                  <ReplayPanel />
                ) : (
                  <Empty title="No accounts yet">
                    Ask a trader to invite you to theirs; it will be shown here.
                  </Empty>
                )}
              </aside>
            </main>
          ) : null}
          <footer>
            <span>
              Charts by{" "}
              <a href="https://www.tradingview.com/" target="_blank" rel="noreferrer">
                TradingView
              </a>{" "}
              Lightweight Charts™
            </span>
            <span>All times UTC</span>
          </footer>
          <nav className="views" aria-label="Views">
            {VIEWS.map(([id, text]) => (
              <button
                key={id}
                type="button"
                aria-current={view === id ? "page" : undefined}
                onClick={() => setView(id)}
              >
                {id === "trade" && user.role === "admin" ? "Replay" : text}
              </button>
            ))}
          </nav>
          {dialog === "open_account" ? (
            <Dialog title="Open an account" onClose={() => setDialog(null)}>
              <OpenAccountForm onOpened={opened} />
            </Dialog>
          ) : null}
          {dialog === "shortcuts" ? <ShortcutsDialog onClose={() => setDialog(null)} /> : null}
        </div>
      )}
    </MarketView>
  );
}

function Retry({ onClick }: { onClick(): void }) {
  return (
    <button type="button" onClick={onClick}>
      Try again
    </button>
  );
}

/** Alt+1 to Alt+9. `code` and not `key`: with Alt, some layouts make other characters. */
function useTimeframeKeys(onTimeframe: (timeframe: Timeframe) => void): void {
  useEffect(() => {
    const choose = (event: KeyboardEvent) => {
      const digit = /^Digit([1-9])$/.exec(event.code)?.[1];
      if (!event.altKey || event.ctrlKey || event.metaKey || digit === undefined) return;
      const timeframe = TIMEFRAMES[Number(digit) - 1];
      if (!timeframe) return;
      event.preventDefault();
      onTimeframe(timeframe);
    };
    window.addEventListener("keydown", choose);
    return () => window.removeEventListener("keydown", choose);
  }, [onTimeframe]);
}
