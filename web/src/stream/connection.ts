import { backoffMs } from "./backoff";
import type { ServerMessage } from "./messages";
import { type Policy, TopicSequence } from "./sequence";

export type ConnectionState =
  | { kind: "connecting" }
  | { kind: "live" }
  | { kind: "waiting"; until: number }
  | { kind: "closed" };

export type TopicHandler = {
  policy: Policy;
  onSnapshot(data: unknown): void;
  onFrame(data: unknown): void;
  /** The topic is refused or can't be served now; it is asked for again unless `final`. */
  onRefused?(message: string, final: boolean): void;
};

type Subscription = { handler: TopicHandler; sequence: TopicSequence; refreshAt: number | null };

/** The part of a WebSocket that is used here. */
export interface Socket {
  readonly readyState: number;
  onopen: ((event: Event) => unknown) | null;
  onmessage: ((event: MessageEvent) => unknown) | null;
  onclose: ((event: CloseEvent) => unknown) | null;
  send(text: string): void;
  close(): void;
}

type Options = {
  openSocket(): Socket;
  /** A valid access token; asked for at every connection. Rejects when the session has ended. */
  accessToken(): Promise<string>;
  /** The server no longer takes the token that we have. */
  onTokenRefused(): void;
};

const PING_INTERVAL_MS = 15_000;
/** Silence after a ping that counts as a dead connection. */
const PONG_TIMEOUT_MS = 10_000;
/** A conflated topic is brought up to date at most this often. */
const REFRESH_INTERVAL_MS = 2_000;
const RETRY_SUBSCRIBE_MS = 3_000;
const NOT_AUTHENTICATED = 4401;
const OPEN = 1;

/** Codes of subscriptions that no repetition will make work. */
const FINAL_REFUSALS: ReadonlySet<string> = new Set([
  "not_found",
  "unknown_topic",
  "invalid_topic",
  "forbidden",
]);

/**
 * One WebSocket for the whole terminal: it comes back by itself, subscribes again to what is
 * wanted, and goes on where it was.
 */
export class StreamConnection {
  private socket: Socket | null = null;
  private authenticated = false;
  private stopped = true;
  private attempts = 0;
  private readonly topics = new Map<string, Subscription>();
  private readonly wanted = new Set<string>();
  private flushScheduled = false;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private aliveTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly listeners = new Set<() => void>();
  private current: ConnectionState = { kind: "closed" };

  constructor(private readonly options: Options) {}

  get state(): ConnectionState {
    return this.current;
  }

  /** For `useSyncExternalStore`. */
  readonly watch = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly getState = (): ConnectionState => this.current;

  start(): void {
    if (!this.stopped) return;
    this.stopped = false;
    void this.connect();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.retryTimer);
    this.drop();
    this.enter({ kind: "closed" });
  }

  /** Don't wait for the next attempt: the network is back, or the user is. */
  readonly hurry = (): void => {
    if (this.current.kind !== "waiting") return;
    clearTimeout(this.retryTimer);
    void this.connect();
  };

  /** Extends the connection beyond the expiry of the token it was opened with. */
  renewToken(token: string): void {
    if (this.authenticated) this.send({ op: "auth", token });
  }

  /** Returns what ends the subscription. A topic has one subscriber. */
  subscribe(topic: string, handler: TopicHandler): () => void {
    const subscription: Subscription = {
      handler,
      sequence: new TopicSequence(handler.policy),
      refreshAt: null,
    };
    this.topics.set(topic, subscription);
    this.request(topic);
    return () => {
      if (this.topics.get(topic) !== subscription) return;
      this.topics.delete(topic);
      this.wanted.delete(topic);
      if (this.authenticated) this.send({ op: "unsubscribe", topics: [topic] });
    };
  }

  private enter(state: ConnectionState): void {
    this.current = state;
    for (const listener of this.listeners) listener();
  }

  private async connect(): Promise<void> {
    this.enter({ kind: "connecting" });
    let socket: Socket;
    let token: string;
    try {
      token = await this.options.accessToken();
      if (this.stopped) return;
      socket = this.options.openSocket();
    } catch {
      // An ended session stops this connection from outside; anything else is tried again.
      if (!this.stopped) this.retryLater();
      return;
    }
    this.socket = socket;
    socket.onopen = () => socket.send(JSON.stringify({ op: "auth", token }));
    socket.onmessage = (event) => this.receive(JSON.parse(String(event.data)) as ServerMessage);
    socket.onclose = (event) => this.lost(event.code);
    this.expectLife(PONG_TIMEOUT_MS);
  }

  private lost(code: number): void {
    this.drop();
    if (this.stopped) return;
    if (code === NOT_AUTHENTICATED) this.options.onTokenRefused();
    this.retryLater();
  }

  private drop(): void {
    clearTimeout(this.aliveTimer);
    this.authenticated = false;
    const socket = this.socket;
    this.socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  private retryLater(): void {
    const delay = backoffMs(this.attempts, Math.random());
    this.attempts += 1;
    this.enter({ kind: "waiting", until: Date.now() + delay });
    this.retryTimer = setTimeout(() => void this.connect(), delay);
  }

  /** A connection that is silent for too long is dead, whatever the operating system says. */
  private expectLife(withinMs: number): void {
    clearTimeout(this.aliveTimer);
    this.aliveTimer = setTimeout(() => this.lost(0), withinMs);
  }

  private keepAlive(): void {
    clearTimeout(this.aliveTimer);
    this.aliveTimer = setTimeout(() => {
      this.send({ op: "ping" });
      this.expectLife(PONG_TIMEOUT_MS);
    }, PING_INTERVAL_MS);
  }

  private receive(message: ServerMessage): void {
    this.keepAlive();
    switch (message.op) {
      case "authenticated":
        this.onAuthenticated();
        return;
      case "pong":
      case "unsubscribed":
      case "conflated": // the gap in the numbers says the same
        return;
      case "error":
        this.onError(message.code, message.message, message.topic);
        return;
    }
    const subscription = this.topics.get(message.topic);
    if (!subscription) return;
    if (message.op === "snapshot") {
      subscription.sequence.snapshot(message.seq);
      subscription.handler.onSnapshot(message.data);
    } else if (message.op === "resumed") {
      subscription.sequence.resumed();
    } else {
      this.onFrame(message.topic, subscription, message.seq, message.data);
    }
  }

  private onFrame(topic: string, subscription: Subscription, seq: number, data: unknown): void {
    const verdict = subscription.sequence.frame(seq);
    if (verdict === "skip") return;
    if (verdict === "resume") {
      this.request(topic);
      return;
    }
    subscription.handler.onFrame(data);
    if (verdict === "apply_and_refresh") this.refreshSoon(topic, subscription);
  }

  private refreshSoon(topic: string, subscription: Subscription): void {
    if (subscription.refreshAt !== null) return;
    subscription.refreshAt = Date.now() + REFRESH_INTERVAL_MS;
    setTimeout(() => {
      subscription.refreshAt = null;
      if (this.topics.get(topic) === subscription) this.request(topic);
    }, REFRESH_INTERVAL_MS);
  }

  private onAuthenticated(): void {
    if (this.authenticated) return;
    this.authenticated = true;
    this.attempts = 0;
    this.enter({ kind: "live" });
    for (const topic of this.topics.keys()) this.request(topic);
  }

  private onError(code: string, text: string, topic: string | undefined): void {
    const subscription = topic === undefined ? undefined : this.topics.get(topic);
    if (topic === undefined || !subscription) return;
    const final = FINAL_REFUSALS.has(code);
    subscription.handler.onRefused?.(text, final);
    if (final) return;
    setTimeout(() => {
      if (this.topics.get(topic) === subscription) this.request(topic);
    }, RETRY_SUBSCRIBE_MS);
  }

  /** Subscriptions of the same moment go out in one message. */
  private request(topic: string): void {
    if (!this.authenticated) return;
    this.wanted.add(topic);
    if (this.flushScheduled) return;
    this.flushScheduled = true;
    queueMicrotask(() => {
      this.flushScheduled = false;
      this.flush();
    });
  }

  private flush(): void {
    if (!this.authenticated || this.wanted.size === 0) return;
    const topics = [...this.wanted];
    this.wanted.clear();
    const resume: Record<string, number> = {};
    for (const topic of topics) {
      const sequence = this.topics.get(topic)?.sequence;
      if (!sequence) continue;
      sequence.resubscribed();
      if (sequence.resumeFrom !== null) resume[topic] = sequence.resumeFrom;
    }
    this.send({ op: "subscribe", topics, resume });
  }

  private send(message: object): void {
    if (this.socket?.readyState === OPEN) this.socket.send(JSON.stringify(message));
  }
}
