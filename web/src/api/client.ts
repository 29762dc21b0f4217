import type { Session } from "../session/session";
import { problemOf, unreachable } from "./problem";

type Query = Record<string, string | number | undefined>;

const TIMEOUT_MS = 20_000;

/** The gateway's REST API with the session's token; every failure is thrown as a `Problem`. */
export class ApiClient {
  constructor(private readonly session: Session) {}

  get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
    const written = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) written.set(name, String(value));
    }
    const suffix = written.size > 0 ? `?${written}` : "";
    return this.call<T>("GET", path + suffix, undefined, signal);
  }

  post<T>(path: string, body?: object): Promise<T> {
    return this.call<T>("POST", path, body === undefined ? undefined : JSON.stringify(body));
  }

  delete<T>(path: string): Promise<T> {
    return this.call<T>("DELETE", path);
  }

  upload<T>(path: string, file: Blob): Promise<T> {
    return this.call<T>("PUT", path, file, null);
  }

  /** `signal: null` sets no time limit. */
  private async call<T>(
    method: string,
    path: string,
    body?: string | Blob,
    signal: AbortSignal | null = AbortSignal.timeout(TIMEOUT_MS),
  ): Promise<T> {
    let response = await this.send(method, path, body, signal);
    if (response.status === 401) {
      this.session.distrust();
      response = await this.send(method, path, body, signal);
    }
    if (!response.ok) throw await problemOf(response);
    return (response.status === 204 ? undefined : await response.json()) as T;
  }

  private async send(
    method: string,
    path: string,
    body: string | Blob | undefined,
    signal: AbortSignal | null,
  ): Promise<Response> {
    const headers: Record<string, string> = {
      Authorization: `Bearer ${await this.session.accessToken()}`,
    };
    if (typeof body === "string") headers["Content-Type"] = "application/json";
    if (body instanceof Blob) headers["Content-Type"] = "application/octet-stream";
    try {
      return await fetch(`/api/v1${path}`, { method, headers, body, signal });
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") throw error;
      throw unreachable();
    }
  }
}
