import { Dialog } from "../ui/Dialog";

const SHORTCUTS: readonly (readonly [string, string])[] = [
  ["/ or Ctrl K", "Find a symbol"],
  ["Alt 1 … 9", "Timeframe, 1m to 1w"],
  ["Alt B · Alt S", "Ticket to buy, to sell"],
  ["← →", "Scroll the chart, when it has the focus"],
  ["+ −", "Zoom the chart"],
  ["End", "Chart to now"],
  ["Esc", "Close what is open"],
];

export function ShortcutsDialog({ onClose }: { onClose(): void }) {
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose}>
      <dl className="shortcuts">
        {SHORTCUTS.map(([keys, does]) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
