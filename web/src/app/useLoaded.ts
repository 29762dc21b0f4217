import { useCallback, useEffect, useState } from "react";
import { sentence } from "../api/problem";

export type Loaded<T> = {
  data: T | undefined;
  error: string | undefined;
  reload(): void;
};

/**
 * What `load` answers; loaded again when `load` changes, on `reload`, and every `everyMs` while
 * the page is visible. The last answer stays while the next one is under way, or fails.
 * `load` must be stable (`useCallback`).
 */
export function useLoaded<T>(load: () => Promise<T>, everyMs?: number): Loaded<T> {
  const [state, setState] = useState<{ load: unknown; data?: T; error?: string }>({ load });
  const [round, setRound] = useState(0);
  const reload = useCallback(() => setRound((n) => n + 1), []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new round loads again
  useEffect(() => {
    let current = true;
    load().then(
      (data) => current && setState({ load, data }),
      (error) =>
        current &&
        setState((old) => ({
          load,
          data: old.load === load ? old.data : undefined,
          error: sentence(error),
        })),
    );
    return () => {
      current = false;
    };
  }, [load, round]);

  useEffect(() => {
    if (everyMs === undefined) return;
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") reload();
    }, everyMs);
    return () => clearInterval(timer);
  }, [everyMs, reload]);

  const fresh = state.load === load;
  return { data: fresh ? state.data : undefined, error: fresh ? state.error : undefined, reload };
}
