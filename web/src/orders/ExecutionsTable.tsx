import { sign } from "../numbers/decimal";
import { formatChange, formatDecimal, formatMoney, tone } from "../numbers/format";
import { formatDateTime } from "../numbers/time";
import type { Books } from "../portfolio/books";
import { Empty, Loading } from "../ui/Notice";

const MOST_SHOWN = 100;

export function ExecutionsTable({ books }: { books: Books }) {
  if (!books.loaded.executions) return <Loading what="executions" />;
  if (books.executions.length === 0) {
    return <Empty title="No executions yet">Every fill of an order is listed here.</Empty>;
  }
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Time (UTC)</th>
          <th scope="col">Symbol</th>
          <th scope="col">Side</th>
          <th scope="col" className="number">
            Quantity
          </th>
          <th scope="col" className="number">
            Price
          </th>
          <th scope="col" className="number wide-only">
            Fee
          </th>
          <th scope="col" className="number">
            Realised
          </th>
          <th scope="col" className="wide-only">
            By
          </th>
        </tr>
      </thead>
      <tbody>
        {books.executions.slice(0, MOST_SHOWN).map((execution) => (
          <tr key={execution.id}>
            <td>{formatDateTime(execution.at)}</td>
            <th scope="row">{execution.symbol}</th>
            <td className={execution.side}>{execution.side === "buy" ? "Buy" : "Sell"}</td>
            <td className="number">{formatDecimal(execution.qty)}</td>
            <td className="number">{formatDecimal(execution.price, 2, 4)}</td>
            <td className="number wide-only">{formatMoney(execution.fee)}</td>
            <td className={`number ${tone(execution.realized_pnl)}`}>
              {sign(execution.realized_pnl) === 0 ? "–" : formatChange(execution.realized_pnl)}
            </td>
            <td className="wide-only">{execution.deployment_id ? "Strategy" : "You"}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
