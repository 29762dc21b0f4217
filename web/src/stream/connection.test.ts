import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Socket, StreamConnection, type TopicHandler } from "./connection";

/** The server's end of a WebSocket. */
class Line implements Socket {
  readyState = 1;
  onopen: Socket["onopen"] = null;
  onmessage: Socket["onmessage"] = null;
  onclose: Socket["onclose"] = null;
  readonly sent: Record<string, unknown>[] = [];

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(): void {
    this.readyState = 3;
  }

  open(): void {
    this.onopen?.(new Event("open"));
  }

  say(message: object): void {
    this.onmessage?.({ data: JSON.stringify(message) } as MessageEvent);
  }

  break(code: number): void {
    this.onclose?.({ code } as CloseEvent);
  }

  get subscriptions() {
    return this.sent.filter((message) => message.op === "subscribe");
  }
}

let lines: Line[];
let tokens: number;
let connection: StreamConnection;

beforeEach(() => {
  vi.useFakeTimers();
  lines = [];
  tokens = 0;
  connection = new StreamConnection({
    openSocket: () => {
      const line = new Line();
      lines.push(line);
      return line;
    },
    accessToken: async () => `token-${++tokens}`,
    onTokenRefused: () => {},
  });
});

afterEach(() => {
  connection.stop();
  vi.useRealTimers();
});

const settle = () => vi.advanceTimersByTimeAsync(0);

async function connected(): Promise<Line> {
  connection.start();
  await settle();
  const line = lines.at(-1);
  if (!line) throw new Error("no connection was opened");
  line.open();
  line.say({ op: "authenticated" });
  await settle();
  return line;
}

function heard(policy: TopicHandler["policy"] = "exact") {
  const frames: unknown[] = [];
  const snapshots: unknown[] = [];
  const refusals: [string, boolean][] = [];
  const handler: TopicHandler = {
    policy,
    onSnapshot: (data) => snapshots.push(data),
    onFrame: (data) => frames.push(data),
    onRefused: (message, final) => refusals.push([message, final]),
  };
  return { frames, snapshots, refusals, handler };
}

test("the token goes in the first message, and topics of one moment in one message", async () => {
  connection.subscribe("a", heard().handler);
  connection.subscribe("b", heard().handler);
  const line = await connected();
  expect(line.sent).toEqual([
    { op: "auth", token: "token-1" },
    { op: "subscribe", topics: ["a", "b"], resume: {} },
  ]);
  expect(connection.state.kind).toBe("live");
});

test("a gap asks for what is missing, and nothing is applied twice or out of order", async () => {
  const topic = heard();
  connection.subscribe("a", topic.handler);
  const line = await connected();
  line.say({ op: "snapshot", topic: "a", seq: 10, data: "state" });
  line.say({ topic: "a", seq: 11, data: 11 });
  line.say({ topic: "a", seq: 13, data: 13 });
  await settle();
  expect(line.subscriptions.at(-1)).toEqual({
    op: "subscribe",
    topics: ["a"],
    resume: { a: 11 },
  });
  line.say({ topic: "a", seq: 14, data: 14 });
  line.say({ op: "resumed", topic: "a", seq: 11 });
  for (const seq of [12, 13, 14]) line.say({ topic: "a", seq, data: seq });
  expect(topic.snapshots).toEqual(["state"]);
  expect(topic.frames).toEqual([11, 12, 13, 14]);
});

test("a broken connection comes back by itself and goes on where it was", async () => {
  connection.subscribe("a", heard().handler);
  connection.subscribe("c", heard("healed").handler);
  const line = await connected();
  line.say({ op: "snapshot", topic: "a", seq: 7, data: null });
  line.say({ op: "snapshot", topic: "c", seq: 9, data: null });
  line.break(1006);
  expect(connection.state.kind).toBe("waiting");
  await vi.advanceTimersByTimeAsync(600);
  lines.at(-1)?.open();
  lines.at(-1)?.say({ op: "authenticated" });
  await settle();
  expect(lines).toHaveLength(2);
  expect(lines[1]?.subscriptions).toEqual([
    { op: "subscribe", topics: ["a", "c"], resume: { a: 7 } },
  ]);
});

test("attempts become rarer while the server is away", async () => {
  connection.start();
  await settle();
  for (let second = 0; second < 60; second += 1) {
    lines.at(-1)?.break(1006);
    await vi.advanceTimersByTimeAsync(1_000);
  }
  expect(lines.length).toBeGreaterThan(5);
  expect(lines.length).toBeLessThan(15);
});

test("a connection that has gone silent is given up", async () => {
  const line = await connected();
  await vi.advanceTimersByTimeAsync(15_000);
  expect(line.sent.at(-1)).toEqual({ op: "ping" });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(connection.state.kind).toBe("waiting");
});

test("a pong keeps a quiet connection", async () => {
  const line = await connected();
  for (let round = 0; round < 4; round += 1) {
    await vi.advanceTimersByTimeAsync(15_000);
    line.say({ op: "pong" });
  }
  expect(connection.state.kind).toBe("live");
});

test("what can't be served now is asked for again, what is forbidden isn't", async () => {
  const away = heard();
  const foreign = heard();
  connection.subscribe("away", away.handler);
  connection.subscribe("foreign", foreign.handler);
  const line = await connected();
  line.say({ op: "error", code: "temporarily_unavailable", message: "Later.", topic: "away" });
  line.say({ op: "error", code: "not_found", message: "No such topic.", topic: "foreign" });
  await vi.advanceTimersByTimeAsync(3_000);
  expect(away.refusals).toEqual([["Later.", false]]);
  expect(foreign.refusals).toEqual([["No such topic.", true]]);
  expect(line.subscriptions.at(-1)).toEqual({ op: "subscribe", topics: ["away"], resume: {} });
});

test("conflated candles are drawn at once and brought up to date at a bounded rate", async () => {
  const topic = heard("healed");
  connection.subscribe("c", topic.handler);
  const line = await connected();
  line.say({ op: "snapshot", topic: "c", seq: 0, data: null });
  for (const seq of [3, 6, 9]) line.say({ topic: "c", seq, data: seq });
  expect(topic.frames).toEqual([3, 6, 9]);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(line.subscriptions).toHaveLength(2);
});

test("nothing comes for a topic that isn't wanted any more", async () => {
  const topic = heard();
  const end = connection.subscribe("a", topic.handler);
  const line = await connected();
  line.say({ op: "snapshot", topic: "a", seq: 0, data: null });
  end();
  line.say({ topic: "a", seq: 1, data: 1 });
  expect(line.sent.at(-1)).toEqual({ op: "unsubscribe", topics: ["a"] });
  expect(topic.frames).toEqual([]);
});

test("a renewed token extends the connection", async () => {
  const line = await connected();
  connection.renewToken("newer");
  expect(line.sent.at(-1)).toEqual({ op: "auth", token: "newer" });
});
