import { type FormEvent, useCallback, useState } from "react";
import { sentence } from "../api/problem";
import type { MarketFile, Page, Replay, ReplayRequest } from "../api/types";
import { useServices } from "../app/services";
import { useLoaded } from "../app/useLoaded";
import { formatCount } from "../numbers/format";
import { formatDateTime } from "../numbers/time";
import { Choice } from "../ui/Choice";
import { SelectField, TextField } from "../ui/Field";
import { Empty, Failure, Loading } from "../ui/Notice";
import { useToast } from "../ui/Toasts";
import { marketFileName } from "./fileName";

const REFRESH_MS = 1_000;
const SPEEDS = ["1", "5", "10", "50", "100", "max"];

/** For admins: put a day of trades, or a made-up one, through the whole platform. */
export function ReplayPanel() {
  const { api } = useServices();
  const load = useCallback(() => api.get<Page<Replay>>("/replays", { limit: 10 }), [api]);
  const { data, error, reload } = useLoaded(load, REFRESH_MS);
  const running = data?.items.find((replay) => replay.status === "running");
  return (
    <section className="replays" aria-label="Replays">
      <h2>Replay</h2>
      {error ? <Failure>{error}</Failure> : null}
      {!data && !error ? <Loading what="replays" /> : null}
      {running ? <RunningReplay replay={running} onPressed={reload} /> : null}
      {data && !running ? <StartReplayForm onStarted={reload} /> : null}
      <h3>Recent runs</h3>
      {data && data.items.length === 0 ? <Empty title="No run yet" /> : null}
      <ul className="runs">
        {data?.items.map((replay) => (
          <li key={replay.id}>
            <span className={`status ${replay.status}`}>{replay.status}</span>
            <span>{formatCount(replay.ticks)} trades</span>
            <small>{formatDateTime(replay.created_at)}</small>
            {replay.error ? <p className="bad">{replay.error}</p> : null}
          </li>
        ))}
      </ul>
    </section>
  );
}

function RunningReplay({ replay, onPressed }: { replay: Replay; onPressed(): void }) {
  const { api } = useServices();
  const toast = useToast();
  const press = async (button: "stop" | "pause" | "resume") => {
    try {
      await api.post(`/replays/${replay.id}/${button}`);
    } catch (error) {
      toast(sentence(error), true);
    }
    onPressed();
  };
  return (
    <div className="run-card">
      <p>
        <span className="status running">{replay.state ?? "running"}</span>{" "}
        {replay.market_time ? `${formatDateTime(replay.market_time)} UTC` : "starting"}
      </p>
      <progress
        aria-label="Progress of the replay"
        max={replay.total_ticks ?? undefined}
        value={replay.total_ticks === null ? undefined : replay.ticks + replay.skipped_ticks}
      />
      <p className="hint">
        {formatCount(replay.ticks)}
        {replay.total_ticks === null ? "" : ` of ${formatCount(replay.total_ticks)}`} trades
      </p>
      {replay.state === "playing" || replay.state === "seeking" ? (
        <button type="button" className="wide" onClick={() => void press("pause")}>
          Pause
        </button>
      ) : null}
      {replay.state === "paused" || replay.state === "pausing" ? (
        <button type="button" className="wide" onClick={() => void press("resume")}>
          Resume
        </button>
      ) : null}
      <button type="button" className="wide" onClick={() => void press("stop")}>
        Stop
      </button>
    </div>
  );
}

type Source = "files" | "synthetic";

function StartReplayForm({ onStarted }: { onStarted(): void }) {
  const { api } = useServices();
  const [source, setSource] = useState<Source>("synthetic");
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const [speed, setSpeed] = useState("10");
  const [symbols, setSymbols] = useState("SIM-TREND, SIM-RANGE");
  const [minutes, setMinutes] = useState("390");
  const [seed, setSeed] = useState("1");
  const [problem, setProblem] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await api.post("/replays", {
        speed: speed === "max" ? "max" : Number(speed),
        ...(source === "files"
          ? { files: [...chosen] }
          : {
              synthetic: {
                symbols: symbols
                  .toUpperCase()
                  .split(/[\s,]+/)
                  .filter(Boolean),
                minutes: Number(minutes),
                seed: Number(seed),
              },
            }),
      } satisfies ReplayRequest);
    } catch (error) {
      setProblem(error);
    } finally {
      setBusy(false);
      onStarted();
    }
  };

  return (
    <form onSubmit={submit}>
      <Choice<Source>
        label="Source"
        value={source}
        onChange={setSource}
        className="wide"
        options={[
          { value: "synthetic", text: "Synthetic" },
          { value: "files", text: "Trades file" },
        ]}
      />
      {source === "files" ? (
        <MarketFiles chosen={chosen} onChoose={setChosen} />
      ) : (
        <>
          <TextField label="Symbols" value={symbols} onChange={setSymbols} required />
          <div className="pair">
            <TextField
              label="Minutes"
              inputMode="numeric"
              value={minutes}
              onChange={setMinutes}
              required
            />
            <TextField
              label="Seed"
              inputMode="numeric"
              value={seed}
              onChange={setSeed}
              hint="Same seed, same run"
              required
            />
          </div>
        </>
      )}
      <SelectField
        label="Speed"
        value={speed}
        onChange={setSpeed}
        options={SPEEDS.map(
          (one) => [one, one === "max" ? "As fast as possible" : `${one}×`] as const,
        )}
      />
      {problem ? <Failure>{sentence(problem)}</Failure> : null}
      <button
        type="submit"
        className="primary wide"
        disabled={busy || (source === "files" && chosen.length === 0)}
      >
        {busy ? "Starting …" : "Start replay"}
      </button>
    </form>
  );
}

type FilesProps = { chosen: readonly string[]; onChoose(ids: readonly string[]): void };

function MarketFiles({ chosen, onChoose }: FilesProps) {
  const { api } = useServices();
  const load = useCallback(() => api.get<Page<MarketFile>>("/market-files"), [api]);
  const { data, error, reload } = useLoaded(load);
  const [uploading, setUploading] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);

  const upload = async (file: File | undefined) => {
    if (!file) return;
    setUploading(true);
    setProblem(null);
    try {
      const stored = await api.upload<MarketFile>(
        `/market-files/${marketFileName(file.name)}`,
        file,
      );
      onChoose([...new Set([...chosen, stored.id])]);
      reload();
    } catch (failure) {
      setProblem(failure);
    } finally {
      setUploading(false);
    }
  };

  return (
    <fieldset className="files">
      <legend>Files</legend>
      {data?.items.map((file) => (
        <label key={file.id} className="check">
          <input
            type="checkbox"
            checked={chosen.includes(file.id)}
            onChange={(event) =>
              onChoose(
                event.target.checked
                  ? [...chosen, file.id]
                  : chosen.filter((other) => other !== file.id),
              )
            }
          />
          <span>
            {file.name}
            <small>
              {file.symbols.join(", ")} · {formatCount(file.rows)}{" "}
              {file.rows === 1 ? "trade" : "trades"} · {file.first_at.slice(0, 10)}
            </small>
          </span>
        </label>
      ))}
      {data && data.items.length === 0 ? (
        <p className="hint">Upload a CSV (also .gz) with timestamp, symbol, price and size.</p>
      ) : null}
      {error ? <Failure>{error}</Failure> : null}
      {problem ? <Failure>{sentence(problem)}</Failure> : null}
      <label className="upload">
        <input
          type="file"
          accept=".csv,.gz"
          className="visually-hidden"
          disabled={uploading}
          onChange={(event) => {
            void upload(event.target.files?.[0]);
            event.target.value = "";
          }}
        />
        <span className="button">{uploading ? "Checking …" : "Upload a trades file"}</span>
      </label>
    </fieldset>
  );
}
