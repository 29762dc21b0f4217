/**
 * Whether a frame may be applied, by its sequence number. Frames of a topic count from 1 without
 * gaps, may come twice (published again after a crash), and market data may be conflated for a
 * client that reads slowly.
 *
 * - `exact`: every frame matters (orders, executions, positions). After a gap nothing is applied
 *   until the missing frames, or a snapshot, have come.
 * - `healed`: the newest frame is applied at once, but a skipped one may have completed a candle,
 *   so a fresh snapshot is asked for.
 * - `latest`: only the newest counts (equity, time).
 */
export type Policy = "exact" | "healed" | "latest";

export type Verdict = "apply" | "skip" | "resume" | "apply_and_refresh";

export class TopicSequence {
  /** Number of the last frame applied; null before the first snapshot. */
  private applied: number | null = null;
  private recovering = true;

  constructor(readonly policy: Policy) {}

  /** For `resume` in a subscription: where to go on, or null when a snapshot is needed. */
  get resumeFrom(): number | null {
    return this.policy === "exact" ? this.applied : null;
  }

  /** A snapshot holds everything up to `seq`. */
  snapshot(seq: number): void {
    this.applied = seq;
    this.recovering = false;
  }

  /** The server goes on after the frame that we named; what was missed follows. */
  resumed(): void {
    this.recovering = false;
  }

  /** The subscription was asked for anew: frames under way to the old one don't count. */
  resubscribed(): void {
    this.recovering = true;
  }

  frame(seq: number): Verdict {
    if (this.recovering || this.applied === null) return "skip";
    if (seq <= this.applied) return "skip";
    const gap = seq > this.applied + 1;
    if (gap && this.policy === "exact") {
      this.recovering = true;
      return "resume";
    }
    this.applied = seq;
    return gap && this.policy === "healed" ? "apply_and_refresh" : "apply";
  }
}
