import { useCallback, useState } from "react";
import { sentence } from "../api/problem";
import type { Deployment, Mode, Page } from "../api/types";
import { useServices } from "../app/services";
import { useLoaded } from "../app/useLoaded";
import { formatCount } from "../numbers/format";
import { formatDateTime } from "../numbers/time";
import type { Timeframe } from "../stream/messages";
import { Dialog } from "../ui/Dialog";
import { Empty, Failure, Loading } from "../ui/Notice";
import { useToast } from "../ui/Toasts";
import { StartStrategyForm } from "./StartStrategyForm";

const REFRESH_MS = 3_000;

type Verb = "pause" | "resume" | "stop";
const LABEL = { pause: "Pause", resume: "Resume", stop: "Stop" };
const DOING = { pause: "is pausing", resume: "goes on", stop: "is stopping" };

type Props = {
  accountId: string;
  mode: Mode;
  symbol: string;
  timeframe: Timeframe;
  canTrade: boolean;
};

export function DeploymentsPanel({ accountId, mode, symbol, timeframe, canTrade }: Props) {
  const { api } = useServices();
  const toast = useToast();
  const [starting, setStarting] = useState(false);
  const load = useCallback(
    () => api.get<Page<Deployment>>(`/accounts/${accountId}/deployments`),
    [api, accountId],
  );
  const { data, error, reload } = useLoaded(load, REFRESH_MS);

  const act = async (deployment: Deployment, verb: Verb) => {
    try {
      await api.post(`/accounts/${accountId}/deployments/${deployment.id}/${verb}`);
      toast(`${deployment.strategy} ${DOING[verb]}.`);
    } catch (failure) {
      toast(sentence(failure), true);
    }
    reload();
  };

  const start = canTrade ? (
    <button type="button" className="primary" onClick={() => setStarting(true)}>
      Start a strategy
    </button>
  ) : null;
  return (
    <>
      {error ? <Failure>{error}</Failure> : null}
      {!data && !error ? <Loading what="strategies" /> : null}
      {data && data.items.length === 0 ? (
        <Empty title="No strategy has been started in this account">{start}</Empty>
      ) : null}
      {data && data.items.length > 0 ? (
        <>
          <div className="table-tools">{start}</div>
          <DeploymentsTable
            deployments={data.items}
            onAct={canTrade ? (deployment, verb) => void act(deployment, verb) : undefined}
          />
        </>
      ) : null}
      {starting ? (
        <Dialog title="Start a strategy" onClose={() => setStarting(false)}>
          <StartStrategyForm
            accountId={accountId}
            mode={mode}
            symbol={symbol}
            timeframe={timeframe}
            onStarted={(deployment) => {
              setStarting(false);
              toast(`${deployment.strategy} is starting on ${deployment.symbols.join(", ")}.`);
              reload();
            }}
          />
        </Dialog>
      ) : null}
    </>
  );
}

type TableProps = {
  deployments: readonly Deployment[];
  onAct: ((deployment: Deployment, verb: Verb) => void) | undefined;
};

/** What can be asked of a strategy as it is now. */
function verbsFor({ wanted, status }: Deployment): Verb[] {
  if (wanted === "stopped") return [];
  return wanted === "paused" || status === "paused" ? ["resume", "stop"] : ["pause", "stop"];
}

function DeploymentsTable({ deployments, onAct }: TableProps) {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Strategy</th>
          <th scope="col">Symbols</th>
          <th scope="col" className="wide-only">
            Timeframe
          </th>
          <th scope="col" className="wide-only">
            Parameters
          </th>
          <th scope="col" className="wide-only">
            Mode
          </th>
          <th scope="col">Status</th>
          <th scope="col" className="number">
            Signals
          </th>
          <th scope="col" className="wide-only">
            Started (UTC)
          </th>
          <th scope="col">
            <span className="visually-hidden">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {deployments.map((one) => (
          <tr key={one.id}>
            <th scope="row">{one.strategy}</th>
            <td>{one.symbols.join(", ")}</td>
            <td className="wide-only">{one.timeframe}</td>
            <td className="wide-only">
              {Object.entries(one.parameters)
                .map(([name, value]) => `${name} ${String(value)}`)
                .join(" · ")}
            </td>
            <td className="wide-only">
              <span className={`mode ${one.mode}`}>{one.mode}</span>
            </td>
            <td>
              <span className={`status ${one.status}`}>
                {one.wanted === "stopped" && one.status !== "stopped" ? "stopping" : one.status}
              </span>
              {one.hold ? <p className="hint">{one.hold}</p> : null}
              {one.last_error ? (
                <details>
                  <summary>Error</summary>
                  <pre>{one.last_error}</pre>
                </details>
              ) : null}
            </td>
            <td className="number">{formatCount(one.signals)}</td>
            <td className="wide-only">{formatDateTime(one.created_at)}</td>
            <td className="actions">
              {(onAct ? verbsFor(one) : []).map((verb) => (
                <button
                  key={verb}
                  type="button"
                  className="small"
                  onClick={() => onAct?.(one, verb)}
                >
                  {LABEL[verb]}
                  <span className="visually-hidden"> {one.strategy}</span>
                </button>
              ))}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
