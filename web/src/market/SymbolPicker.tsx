import {
  type KeyboardEvent,
  useCallback,
  useDeferredValue,
  useEffect,
  useId,
  useRef,
  useState,
} from "react";
import type { Instrument, Page } from "../api/types";
import { useServices } from "../app/services";
import { useLoaded } from "../app/useLoaded";

type Props = { symbol: string; onPick(symbol: string): void };

const MOST_SHOWN = 12;

/** A search box with suggestions. `/` or Ctrl+K from anywhere brings the focus here. */
export function SymbolPicker({ symbol, onPick }: Props) {
  const { api } = useServices();
  const [text, setText] = useState<string | null>(null);
  const [active, setActive] = useState(0);
  const input = useRef<HTMLInputElement>(null);
  const listId = useId();
  const open = text !== null;
  const query = useDeferredValue(text ?? "");

  const load = useCallback(
    () =>
      open
        ? api.get<Page<Instrument>>("/instruments", { query, limit: MOST_SHOWN })
        : Promise.resolve(null),
    [api, open, query],
  );
  const { data, error } = useLoaded(load);
  const found = data?.items ?? [];

  useEffect(() => {
    const focus = (event: globalThis.KeyboardEvent) => {
      const typing =
        event.target instanceof HTMLElement && event.target.closest("input, select, textarea");
      const slash = event.key === "/" && !typing && !event.ctrlKey && !event.metaKey;
      const control = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey);
      if (!slash && !control) return;
      event.preventDefault();
      input.current?.focus();
    };
    window.addEventListener("keydown", focus);
    return () => window.removeEventListener("keydown", focus);
  }, []);

  const pick = (instrument: Instrument | undefined) => {
    if (!instrument) return;
    onPick(instrument.symbol);
    input.current?.blur();
  };

  const onKey = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      setActive((at) => (found.length ? (at + step + found.length) % found.length : 0));
    } else if (event.key === "Enter") {
      event.preventDefault();
      const exact = found.find((item) => item.symbol === text?.trim().toUpperCase());
      pick(active > 0 ? found[active] : (exact ?? found[0]));
    } else if (event.key === "Escape") {
      input.current?.blur();
    }
  };

  return (
    <div className="symbol-picker">
      <input
        ref={input}
        role="combobox"
        aria-label="Symbol"
        aria-expanded={open}
        aria-controls={listId}
        aria-autocomplete="list"
        aria-activedescendant={open && found[active] ? `${listId}-${active}` : undefined}
        autoComplete="off"
        spellCheck={false}
        placeholder={symbol || "Search symbol"}
        value={text ?? symbol}
        onFocus={() => setText("")}
        onBlur={() => setText(null)}
        onChange={(event) => {
          setText(event.target.value);
          setActive(0);
        }}
        onKeyDown={onKey}
      />
      <span className="key" aria-hidden="true">
        /
      </span>
      {open ? (
        <div role="listbox" id={listId} aria-label="Instruments" className="suggestions">
          {found.map((item, at) => (
            <div
              key={item.symbol}
              id={`${listId}-${at}`}
              role="option"
              tabIndex={-1}
              aria-selected={at === active}
              onPointerDown={(event) => {
                event.preventDefault();
                pick(item);
              }}
              onPointerMove={() => setActive(at)}
            >
              <b>{item.symbol}</b>
              <span>{item.name}</span>
              <small>
                {item.exchange} · {item.currency}
              </small>
            </div>
          ))}
          {data && found.length === 0 ? <p>Nothing matches “{query}”.</p> : null}
          {error ? <p className="bad">{error}</p> : null}
        </div>
      ) : null}
    </div>
  );
}
