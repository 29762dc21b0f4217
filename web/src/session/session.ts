import { problemOf, unreachable } from "../api/problem";
import type { TokenPair } from "../api/types";

/**
 * Who is signed in, and the tokens of it.
 *
 * The access token lives in memory only. The refresh token is kept in `sessionStorage`, so that a
 * reload doesn't sign out: it ends with the tab, is never sent by the browser on its own (no
 * request forgery), and works once (a copy that is used betrays itself, and ends the session).
 * Scripts could read it, so the content security policy lets no script run but our own files.
 */

type Stored = { refreshToken: string; tab: string };

const KEY = "session";
/** A token with less life than this is renewed before it is used. */
const RENEW_BEFORE_MS = 60_000;

/** A lock that isn't free after this time belongs to another tab. */
const HANDOVER_MS = 1_000;

export class SessionEnded extends Error {
  constructor() {
    super("The session has ended. Sign in again.");
  }
}

export class Session {
  private access: { token: string; expiresAt: number } | null = null;
  private stored: Stored | null = read();
  private refreshing: Promise<string> | null = null;
  private renewTimer: ReturnType<typeof setTimeout> | undefined;
  private generation = 0;

  onEnded: () => void = () => {};
  onToken: (token: string) => void = () => {};

  get signedIn(): boolean {
    return this.stored !== null;
  }

  /**
   * A duplicated tab has a copy of the other's refresh token. Using it would end the session of
   * both, so the copy is given up when the tab that it was made from is still there.
   */
  async discardCopyOfAnotherTab(): Promise<void> {
    if (!this.stored || !navigator.locks) return;
    if (!(await holdWhileOpen(this.stored.tab))) this.forget();
  }

  async signIn(login: string, password: string): Promise<void> {
    const tokens = await post<TokenPair>("/api/v1/auth/login", { login, password });
    this.keep(tokens, crypto.getRandomValues(new Uint32Array(2)).join("-"));
    if (this.stored && navigator.locks) await holdWhileOpen(this.stored.tab);
  }

  async signOut(): Promise<void> {
    const token = this.access?.token;
    this.forget();
    this.onEnded();
    if (!token) return;
    // Signed out here in any case; on the server the session also ends by inactivity.
    await fetch("/api/v1/auth/logout", {
      method: "POST",
      headers: { Authorization: `Bearer ${token}` },
    }).catch(() => undefined);
  }

  /** The server refused the access token: the next use asks for another. */
  distrust(): void {
    this.access = null;
  }

  async accessToken(): Promise<string> {
    if (this.access && this.access.expiresAt - RENEW_BEFORE_MS > Date.now()) {
      return this.access.token;
    }
    return this.refresh();
  }

  /** One at a time: a refresh token works once. */
  refresh(): Promise<string> {
    this.refreshing ??= this.exchange().finally(() => {
      this.refreshing = null;
    });
    return this.refreshing;
  }

  private async exchange(): Promise<string> {
    const stored = this.stored;
    if (!stored) throw new SessionEnded();
    const generation = this.generation;
    try {
      const tokens = await post<TokenPair>("/api/v1/auth/refresh", {
        refresh_token: stored.refreshToken,
      });
      if (generation !== this.generation) throw new SessionEnded();
      this.keep(tokens, stored.tab);
      return tokens.access_token;
    } catch (error) {
      const refused = error instanceof Error && "status" in error && error.status === 401;
      if (refused && generation === this.generation) {
        this.forget();
        this.onEnded();
        throw new SessionEnded();
      }
      throw error;
    }
  }

  private keep(tokens: TokenPair, tab: string): void {
    const lifeMs = tokens.expires_in_s * 1000;
    this.access = { token: tokens.access_token, expiresAt: Date.now() + lifeMs };
    this.stored = { refreshToken: tokens.refresh_token, tab };
    sessionStorage.setItem(KEY, JSON.stringify(this.stored));
    clearTimeout(this.renewTimer);
    // A failure here is seen, and handled, by the next use of the token.
    this.renewTimer = setTimeout(
      () => void this.refresh().catch(() => undefined),
      Math.max(lifeMs - RENEW_BEFORE_MS, lifeMs / 2),
    );
    this.onToken(tokens.access_token);
  }

  private forget(): void {
    this.generation += 1;
    this.access = null;
    this.stored = null;
    clearTimeout(this.renewTimer);
    sessionStorage.removeItem(KEY);
  }
}

function read(): Stored | null {
  try {
    const value = JSON.parse(sessionStorage.getItem(KEY) ?? "null") as Partial<Stored> | null;
    if (typeof value?.refreshToken !== "string" || typeof value.tab !== "string") return null;
    return { refreshToken: value.refreshToken, tab: value.tab };
  } catch {
    return null;
  }
}

/**
 * True when this tab now holds the lock, which it does until it is closed. A page that is being
 * loaded again may have to wait for its own predecessor to let go.
 */
function holdWhileOpen(tab: string): Promise<boolean> {
  return new Promise((resolve) => {
    const name = `terminal-tab:${tab}`;
    const signal = AbortSignal.timeout(HANDOVER_MS);
    navigator.locks
      .request(name, { signal }, () => {
        resolve(true);
        return new Promise<never>(() => {});
      })
      .catch(() => resolve(false));
  });
}

async function post<T>(path: string, body: object): Promise<T> {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  }).catch(() => {
    throw unreachable();
  });
  if (!response.ok) throw await problemOf(response);
  return (await response.json()) as T;
}
