import type { ReactNode } from "react";

/** A sentence about what went wrong; read out at once. */
export function Failure({ children, action }: { children: ReactNode; action?: ReactNode }) {
  return (
    <div role="alert" className="failure">
      <p>{children}</p>
      {action}
    </div>
  );
}

/** An empty place that says what would fill it. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <p className="empty-title">{title}</p>
      {children ? <div>{children}</div> : null}
    </div>
  );
}

export function Loading({ what }: { what: string }) {
  return (
    <p className="empty" role="status">
      Loading {what} …
    </p>
  );
}
