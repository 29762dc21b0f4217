import {
  createContext,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useRef,
  useState,
} from "react";

type Toast = { id: number; text: string; bad: boolean };

const ToastContext = createContext<(text: string, bad?: boolean) => void>(() => {});

const SHOWN_MS = 6_000;
const MOST_TOASTS = 4;

/** Says in passing what happened. Errors that ask for something are shown where they belong. */
export function useToast(): (text: string, bad?: boolean) => void {
  return useContext(ToastContext);
}

export function Toasts({ children }: { children: ReactNode }) {
  const [toasts, setToasts] = useState<Toast[]>([]);
  const next = useRef(1);
  const timers = useRef(new Set<ReturnType<typeof setTimeout>>());

  const show = useCallback((text: string, bad = false) => {
    const id = next.current++;
    setToasts((old) => [...old.slice(1 - MOST_TOASTS), { id, text, bad }]);
    const timer = setTimeout(() => {
      timers.current.delete(timer);
      setToasts((old) => old.filter((toast) => toast.id !== id));
    }, SHOWN_MS);
    timers.current.add(timer);
  }, []);

  useEffect(() => {
    const running = timers.current;
    return () => {
      for (const timer of running) clearTimeout(timer);
    };
  }, []);

  return (
    <ToastContext value={show}>
      {children}
      <div className="toasts" role="status" aria-live="polite">
        {toasts.map((toast) => (
          <p key={toast.id} className={toast.bad ? "toast bad" : "toast"}>
            {toast.text}
          </p>
        ))}
      </div>
    </ToastContext>
  );
}
