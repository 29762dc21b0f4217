import { multiply } from "../numbers/decimal";
import { formatChange, formatDecimal, formatMoney, tone } from "../numbers/format";
import type { Position } from "../stream/messages";
import { Empty, Loading } from "../ui/Notice";
import { type Books, openPositions, unrealizedOf } from "./books";

type Props = {
  books: Books;
  onPick(symbol: string): void;
  /** Absent for who may only look. */
  onClose?: ((position: Position) => void) | undefined;
};

export function PositionsTable({ books, onPick, onClose }: Props) {
  if (!books.loaded.positions) return <Loading what="positions" />;
  const positions = openPositions(books);
  if (positions.length === 0) {
    return (
      <Empty title="No open positions">
        {onClose ? "Send an order with the ticket, or start a strategy." : null}
      </Empty>
    );
  }
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Symbol</th>
          <th scope="col" className="number">
            Quantity
          </th>
          <th scope="col" className="number wide-only">
            Average
          </th>
          <th scope="col" className="number">
            Last
          </th>
          <th scope="col" className="number wide-only">
            Value
          </th>
          <th scope="col" className="number">
            Unrealised
          </th>
          <th scope="col" className="number wide-only">
            Realised
          </th>
          {onClose ? (
            <th scope="col">
              <span className="visually-hidden">Actions</span>
            </th>
          ) : null}
        </tr>
      </thead>
      <tbody>
        {positions.map((position) => {
          const price = books.prices[position.symbol];
          const unrealized = unrealizedOf(position, price);
          return (
            <tr key={position.symbol}>
              <th scope="row">
                <button type="button" className="link" onClick={() => onPick(position.symbol)}>
                  {position.symbol}
                </button>
              </th>
              <td className="number">{formatDecimal(position.qty)}</td>
              <td className="number wide-only">{formatDecimal(position.avg_price, 2, 4)}</td>
              <td className="number">{price === undefined ? "–" : formatDecimal(price, 2, 4)}</td>
              <td className="number wide-only">
                {price === undefined ? "–" : formatMoney(multiply(price, position.qty))}
              </td>
              <td className={`number ${unrealized === null ? "" : tone(unrealized)}`}>
                {unrealized === null ? "–" : formatChange(unrealized)}
              </td>
              <td className={`number wide-only ${tone(position.realized_pnl)}`}>
                {formatChange(position.realized_pnl)}
              </td>
              {onClose ? (
                <td className="actions">
                  <button type="button" className="small" onClick={() => onClose(position)}>
                    Close<span className="visually-hidden"> {position.symbol}</span>
                  </button>
                </td>
              ) : null}
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
