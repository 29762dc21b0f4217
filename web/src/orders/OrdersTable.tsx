import { useState } from "react";
import { sentence } from "../api/problem";
import { useServices } from "../app/services";
import { formatDecimal } from "../numbers/format";
import { formatDateTime } from "../numbers/time";
import { type Books, recentOrders } from "../portfolio/books";
import { type Order, type OrderStatus, WORKING } from "../stream/messages";
import { Choice } from "../ui/Choice";
import { Empty, Loading } from "../ui/Notice";
import { useToast } from "../ui/Toasts";

export const STATUS_TEXT: Record<OrderStatus, string> = {
  new: "New",
  held: "Held",
  accepted: "Working",
  partially_filled: "Partly filled",
  filled: "Filled",
  cancelled: "Cancelled",
  rejected: "Rejected",
  expired: "Expired",
  replaced: "Replaced",
};

const TYPE_TEXT: Record<Order["type"], string> = {
  market: "Market",
  limit: "Limit",
  stop: "Stop",
  stop_limit: "Stop limit",
  trailing_stop: "Trailing stop",
};

const MOST_SHOWN = 100;

type Shown = "working" | "all";

type Props = { books: Books; accountId: string; canTrade: boolean };

export function OrdersTable({ books, accountId, canTrade }: Props) {
  const { api } = useServices();
  const toast = useToast();
  const [shown, setShown] = useState<Shown>("working");
  const [cancelling, setCancelling] = useState<ReadonlySet<string>>(new Set());
  if (!books.loaded.orders) return <Loading what="orders" />;

  const cancel = async (order: Order) => {
    setCancelling((old) => new Set(old).add(order.id));
    try {
      await api.delete(`/accounts/${accountId}/orders/${order.id}`);
      toast(`Cancelled: ${order.side} ${formatDecimal(order.qty)} ${order.symbol}.`);
    } catch (error) {
      toast(sentence(error), true);
    } finally {
      setCancelling((old) => {
        const rest = new Set(old);
        rest.delete(order.id);
        return rest;
      });
    }
  };

  const recent = recentOrders(books, 500);
  const working = recent.filter((order) => WORKING.has(order.status));
  const orders = (shown === "working" ? working : recent).slice(0, MOST_SHOWN);
  return (
    <>
      <div className="table-tools">
        <Choice<Shown>
          label="Which orders"
          value={shown}
          onChange={setShown}
          className="compact"
          options={[
            { value: "working", text: `Working ${working.length}` },
            { value: "all", text: "All recent" },
          ]}
        />
      </div>
      {orders.length === 0 ? (
        <Empty title={shown === "working" ? "No working orders" : "No orders yet"}>
          {canTrade ? "A limit order waits here until the market reaches its price." : null}
        </Empty>
      ) : (
        <table>
          <thead>
            <tr>
              <th scope="col" className="wide-only">
                Time (UTC)
              </th>
              <th scope="col">Symbol</th>
              <th scope="col">Side</th>
              <th scope="col">Type</th>
              <th scope="col" className="number">
                Quantity
              </th>
              <th scope="col" className="number wide-only">
                Filled
              </th>
              <th scope="col" className="number">
                Price
              </th>
              <th scope="col" className="number wide-only">
                Fill price
              </th>
              <th scope="col">Status</th>
              <th scope="col" className="wide-only">
                By
              </th>
              <th scope="col">
                <span className="visually-hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {orders.map((order) => (
              <tr key={order.id}>
                <td className="wide-only">{formatDateTime(order.submitted_at)}</td>
                <th scope="row">{order.symbol}</th>
                <td className={order.side}>{order.side === "buy" ? "Buy" : "Sell"}</td>
                <td>
                  {TYPE_TEXT[order.type]} <small>{order.time_in_force.toUpperCase()}</small>
                </td>
                <td className="number">{formatDecimal(order.qty)}</td>
                <td className="number wide-only">{formatDecimal(order.filled_qty)}</td>
                <td className="number">
                  {order.stop_price === null ? null : (
                    <span>stop {formatDecimal(order.stop_price, 2)} </span>
                  )}
                  {order.limit_price === null
                    ? order.stop_price === null && "–"
                    : formatDecimal(order.limit_price, 2)}
                </td>
                <td className="number wide-only">
                  {order.filled_avg_price === null
                    ? "–"
                    : formatDecimal(order.filled_avg_price, 2, 4)}
                </td>
                <td>
                  <span className={`status ${order.status}`}>{STATUS_TEXT[order.status]}</span>
                  {order.reason ? <small className="reason">{order.reason}</small> : null}
                </td>
                <td className="wide-only">{order.deployment_id ? "Strategy" : "You"}</td>
                <td className="actions">
                  {canTrade && WORKING.has(order.status) ? (
                    <button
                      type="button"
                      className="small"
                      disabled={cancelling.has(order.id)}
                      onClick={() => void cancel(order)}
                    >
                      Cancel
                      <span className="visually-hidden">
                        {" "}
                        {order.side} {formatDecimal(order.qty)} {order.symbol}
                      </span>
                    </button>
                  ) : null}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}
