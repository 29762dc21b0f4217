import { useEffect, useRef, useState } from "react";
import type { Account, Mode, User } from "../api/types";
import type { MarketTime } from "../market/candleStore";
import { SymbolPicker } from "../market/SymbolPicker";
import { useConnectionState, useServices } from "./services";
import { applyTheme, storedTheme, type Theme } from "./theme";

type Props = {
  user: User;
  accounts: readonly Account[];
  account: Account | undefined;
  mode: Mode;
  symbol: string;
  marketTime: MarketTime;
  readOnly: boolean;
  onAccount(id: string): void;
  onOpenAccount?: (() => void) | undefined;
  onSymbol(symbol: string): void;
  onHelp(): void;
  onSignOut(): void;
};

export function TopBar(props: Props) {
  const { user, accounts, account, mode, symbol, readOnly } = props;
  return (
    <header className="top-bar">
      <img src="/favicon.svg" alt="" width="24" height="24" className="brand" />
      <strong
        className={`mode-badge ${mode}`}
        title="Orders of this screen fill on a simulated market"
      >
        {mode}
      </strong>
      {accounts.length > 0 ? (
        <label className="account-switcher">
          <span className="visually-hidden">Account</span>
          <select
            value={account?.id ?? ""}
            onChange={(event) =>
              event.target.value === "open"
                ? props.onOpenAccount?.()
                : props.onAccount(event.target.value)
            }
          >
            {accounts.map((one) => (
              <option key={one.id} value={one.id}>
                {one.name} · {one.base_currency}
                {/* Accounts of several owners may have the same name. */}
                {one.owner_id === user.id ? "" : ` · ${one.id.slice(0, 8)}`}
              </option>
            ))}
            {props.onOpenAccount ? <option value="open">Open an account …</option> : null}
          </select>
        </label>
      ) : null}
      {readOnly ? <span className="chip">Read only</span> : null}
      <SymbolPicker symbol={symbol} onPick={props.onSymbol} />
      <div className="spacer" />
      <MarketTimeView time={props.marketTime} />
      <Connection />
      <UserMenu user={user} onHelp={props.onHelp} onSignOut={props.onSignOut} />
    </header>
  );
}

function MarketTimeView({ time }: { time: MarketTime }) {
  if (!time) return null;
  const text = new Date(time.atNs / 1e6).toISOString().slice(0, 19).replace("T", " ");
  return (
    <span className="market-time" title={time.paced ? "Time of the replay" : "Market time"}>
      {text} <small>UTC</small>
    </span>
  );
}

function Connection() {
  const { stream } = useServices();
  const state = useConnectionState();
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (state.kind !== "waiting") return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [state]);
  const text =
    state.kind === "live"
      ? "Live"
      : state.kind === "waiting"
        ? `Offline · again in ${Math.max(0, Math.ceil((state.until - now) / 1000))} s`
        : "Connecting";
  return (
    <span className={`connection ${state.kind}`}>
      <span className="dot" aria-hidden="true" />
      {/* The countdown isn't read out, only the change of state. */}
      <span aria-hidden="true">{text}</span>
      <span className="visually-hidden" role="status">
        {state.kind === "live" ? "Live data" : "No live data, reconnecting"}
      </span>
      {state.kind === "waiting" ? (
        <button type="button" className="link" onClick={stream.hurry}>
          now
        </button>
      ) : null}
    </span>
  );
}

const THEMES: readonly (readonly [Theme, string])[] = [
  ["system", "As the system"],
  ["light", "Light"],
  ["dark", "Dark"],
];

type MenuProps = { user: User; onHelp(): void; onSignOut(): void };

function UserMenu({ user, onHelp, onSignOut }: MenuProps) {
  const [theme, setTheme] = useState(storedTheme);
  const menu = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    const close = (event: Event) => {
      const escaped = event instanceof KeyboardEvent && event.key === "Escape";
      const outside = event.type === "pointerdown" && !menu.current?.contains(event.target as Node);
      if (menu.current?.open && (escaped || outside)) menu.current.open = false;
    };
    document.addEventListener("pointerdown", close);
    document.addEventListener("keydown", close);
    return () => {
      document.removeEventListener("pointerdown", close);
      document.removeEventListener("keydown", close);
    };
  }, []);
  const choose = (next: Theme) => {
    applyTheme(next);
    setTheme(next);
  };
  return (
    <details className="user-menu" ref={menu}>
      <summary aria-label={`Menu of ${user.username}`}>
        <span className="avatar" aria-hidden="true">
          {user.username.slice(0, 2).toUpperCase()}
        </span>
      </summary>
      <div>
        <p>
          <b>{user.username}</b>
          <small>
            {user.email} · {user.role}
          </small>
        </p>
        <label>
          Colours
          <select value={theme} onChange={(event) => choose(event.target.value as Theme)}>
            {THEMES.map(([value, text]) => (
              <option key={value} value={value}>
                {text}
              </option>
            ))}
          </select>
        </label>
        <button type="button" className="quiet" onClick={onHelp}>
          Keyboard shortcuts
        </button>
        <button type="button" className="quiet" onClick={onSignOut}>
          Sign out
        </button>
      </div>
    </details>
  );
}
