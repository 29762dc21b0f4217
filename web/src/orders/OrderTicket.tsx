import { type FormEvent, useRef, useState } from "react";
import { Problem, sentence } from "../api/problem";
import type { Account, Instrument, Order, OrderTicketBody } from "../api/types";
import { useServices } from "../app/services";
import { fractionDigits, isDecimal, multiply, sign } from "../numbers/decimal";
import { formatDecimal, formatMoney } from "../numbers/format";
import type { Mode, Side } from "../stream/messages";
import { Choice } from "../ui/Choice";
import { SelectField, TextField } from "../ui/Field";
import { Failure } from "../ui/Notice";
import { useToast } from "../ui/Toasts";

export type Draft = { side: Side; type: "market" | "limit"; qty: string; limitPrice: string };

type Props = {
  account: Account;
  mode: Mode;
  instrument: Instrument;
  lastPrice: string | undefined;
  cash: string | null;
  held: string;
  draft: Draft;
  onDraft(draft: Draft): void;
};

export function OrderTicket(props: Props) {
  const { account, mode, instrument, lastPrice, cash, held, draft, onDraft } = props;
  const { api } = useServices();
  const toast = useToast();
  const [timeInForce, setTimeInForce] = useState<"gtc" | "day">("gtc");
  const [problem, setProblem] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  // Sending the same ticket again after a lost answer repeats the order, and doesn't double it.
  const attempt = useRef<{ ticket: string; clientOrderId: string } | null>(null);
  const change = (part: Partial<Draft>) => onDraft({ ...draft, ...part });
  const { symbol } = instrument;

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const order = {
      symbol,
      mode,
      side: draft.side,
      type: draft.type,
      time_in_force: timeInForce,
      qty: draft.qty.trim(),
      ...(draft.type === "limit" ? { limit_price: draft.limitPrice.trim() } : {}),
    };
    const ticket = JSON.stringify(order);
    if (attempt.current?.ticket !== ticket) {
      attempt.current = { ticket, clientOrderId: newClientOrderId() };
    }
    const client_order_id = attempt.current.clientOrderId;
    setBusy(true);
    setProblem(null);
    try {
      const sent = await api.post<Order>(`/accounts/${account.id}/orders`, {
        ...order,
        client_order_id,
      } satisfies OrderTicketBody);
      attempt.current = null;
      toast(
        `${sent.side === "buy" ? "Buy" : "Sell"} ${formatDecimal(sent.qty)} ${symbol}: ${sent.status}.`,
      );
    } catch (error) {
      const answered = error instanceof Problem && error.status !== 0 && error.status !== 503;
      if (answered) attempt.current = null;
      setProblem(error);
    } finally {
      setBusy(false);
    }
  };

  const price = draft.type === "limit" ? draft.limitPrice : lastPrice;
  const notional =
    price !== undefined && isDecimal(price) && isDecimal(draft.qty)
      ? multiply(draft.qty, price)
      : null;
  const field = (name: string) => (problem instanceof Problem ? problem.field(name) : undefined);
  const shownAtField = ["qty", "limit_price"].some((name) => field(name));
  const verb = draft.side === "buy" ? "Buy" : "Sell";

  return (
    <form className="ticket" onSubmit={submit} aria-label="Order ticket">
      <Choice<Side>
        label="Side"
        value={draft.side}
        onChange={(side) => change({ side })}
        className="wide buy-sell"
        options={[
          { value: "buy", text: "Buy", title: "Alt+B" },
          { value: "sell", text: "Sell", title: "Alt+S" },
        ]}
      />
      <Choice<Draft["type"]>
        label="Order type"
        value={draft.type}
        onChange={(type) =>
          change({
            type,
            limitPrice: draft.limitPrice || (type === "limit" ? (lastPrice ?? "") : ""),
          })
        }
        className="wide"
        options={[
          { value: "market", text: "Market" },
          { value: "limit", text: "Limit" },
        ]}
      />
      <TextField
        label="Quantity"
        inputMode="decimal"
        value={draft.qty}
        onChange={(qty) => change({ qty })}
        error={field("qty")}
        hint={sign(held) !== 0 ? `You hold ${formatDecimal(held)}` : undefined}
        autoComplete="off"
        required
      />
      {draft.type === "limit" ? (
        <TextField
          label="Limit price"
          inputMode="decimal"
          value={draft.limitPrice}
          onChange={(limitPrice) => change({ limitPrice })}
          error={field("limit_price")}
          hint={`Tick ${formatDecimal(instrument.tick_size)}`}
          autoComplete="off"
          required
        />
      ) : null}
      <SelectField
        label="Time in force"
        value={timeInForce}
        onChange={(value) => setTimeInForce(value === "day" ? "day" : "gtc")}
        options={[
          ["gtc", "Good till cancelled"],
          ["day", "Day"],
        ]}
      />
      <dl className="pairs">
        <dt>Last</dt>
        <dd>
          {lastPrice === undefined
            ? "no price yet"
            : formatDecimal(lastPrice, fractionDigits(instrument.tick_size))}
        </dd>
        <dt>{draft.type === "limit" ? "Value at limit" : "Value, about"}</dt>
        <dd>{notional === null ? "–" : formatMoney(notional)}</dd>
        <dt>Cash</dt>
        <dd>{cash === null ? "–" : formatMoney(cash)}</dd>
      </dl>
      {problem && !shownAtField ? <Failure>{sentence(problem)}</Failure> : null}
      <button type="submit" className={`wide submit ${draft.side}`} disabled={busy}>
        {busy ? "Sending …" : `${verb} ${draft.qty || "…"} ${symbol}`}
        <span className="submit-mode">{mode}</span>
      </button>
    </form>
  );
}

function newClientOrderId(): string {
  const random = crypto.getRandomValues(new Uint32Array(4));
  return `web-${[...random].map((part) => part.toString(16).padStart(8, "0")).join("")}`;
}
