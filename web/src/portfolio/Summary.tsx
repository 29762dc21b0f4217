import type { Account } from "../api/types";
import { subtract } from "../numbers/decimal";
import { formatChange, formatMoney, formatPercent, tone } from "../numbers/format";
import { type Books, realizedProfit } from "./books";

/** The numbers that a trader looks at first, moving live. */
export function Summary({ account, books }: { account: Account; books: Books }) {
  const { equity, cash, unrealized } = books;
  const profit = equity === null ? null : subtract(equity, account.paper_capital);
  const capital = Number(account.paper_capital);
  return (
    <dl className="summary" aria-label={`Figures of ${account.name} in ${account.base_currency}`}>
      <Figure label="Equity" value={equity === null ? null : formatMoney(equity)} strong />
      <Figure
        label="Total return"
        value={profit === null ? null : formatChange(profit)}
        note={profit !== null && capital > 0 ? formatPercent(Number(profit) / capital) : undefined}
        tone={profit === null ? "flat" : tone(profit)}
      />
      <Figure
        label="Unrealised"
        value={unrealized === null ? null : formatChange(unrealized)}
        tone={unrealized === null ? "flat" : tone(unrealized)}
      />
      <Figure
        label="Realised"
        value={books.loaded.positions ? formatChange(realizedProfit(books)) : null}
        tone={books.loaded.positions ? tone(realizedProfit(books)) : "flat"}
      />
      <Figure label="Cash" value={cash === null ? null : formatMoney(cash)} />
    </dl>
  );
}

type FigureProps = {
  label: string;
  value: string | null;
  note?: string | undefined;
  tone?: "gain" | "loss" | "flat";
  strong?: boolean;
};

function Figure({ label, value, note, tone: toned = "flat", strong }: FigureProps) {
  return (
    <div className={strong ? "figure strong" : "figure"} data-figure={label}>
      <dt>{label}</dt>
      <dd className={toned}>
        {value ?? "–"}
        {note ? <small>{note}</small> : null}
      </dd>
    </div>
  );
}
