import { Component, type ReactNode } from "react";
import { sentence } from "../api/problem";
import { Failure } from "./Notice";

type State = { error: unknown };

/** The last resort: a page that broke says so, and offers the way out, instead of being blank. */
export class Mishap extends Component<{ children: ReactNode }, State> {
  override state: State = { error: null };

  static getDerivedStateFromError(error: unknown): State {
    return { error };
  }

  override render(): ReactNode {
    if (this.state.error === null) return this.props.children;
    return (
      <main className="sign-in">
        <div className="sign-in-card">
          <h1>The terminal stopped</h1>
          <Failure>{sentence(this.state.error)}</Failure>
          <p className="hint">Orders and strategies go on without it.</p>
          <button type="button" className="primary" onClick={() => location.reload()}>
            Load it again
          </button>
        </div>
      </main>
    );
  }
}
