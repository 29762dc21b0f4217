/** Times are shown in UTC everywhere, so that a chart, an order and a log line can be compared. */

const NS_PER_MS = 1_000_000;

export function formatTime(iso: string): string {
  return iso.slice(11, 19);
}

/** `2026-11-20 14:30:05` */
export function formatDateTime(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 19)}`;
}

/** Nanoseconds don't fit a JavaScript number exactly; to the millisecond they do. */
export function fromNs(ns: number): Date {
  return new Date(Math.floor(ns / NS_PER_MS));
}

export function secondsFromNs(ns: number): number {
  return Math.floor(ns / 1_000_000_000);
}
