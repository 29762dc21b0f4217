import { createContext, useContext, useSyncExternalStore } from "react";
import { ApiClient } from "../api/client";
import type { TerminalConfig } from "../api/types";
import { Session } from "../session/session";
import { type ConnectionState, StreamConnection } from "../stream/connection";

export type Services = { session: Session; api: ApiClient; stream: StreamConnection };

/** The one place that knows how session, API and stream are put together. */
export function makeServices(): Services {
  const session = new Session();
  const api = new ApiClient(session);
  let websocketUrl: string | undefined;
  const stream = new StreamConnection({
    accessToken: async () => {
      websocketUrl ??= (await api.get<TerminalConfig>("/config")).websocket_url;
      return session.accessToken();
    },
    openSocket: () => {
      if (websocketUrl === undefined) throw new Error("The WebSocket's address isn't known");
      return new WebSocket(websocketUrl);
    },
    onTokenRefused: () => session.distrust(),
  });
  session.onToken = (token) => stream.renewToken(token);
  window.addEventListener("online", stream.hurry);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") stream.hurry();
  });
  return { session, api, stream };
}

export const ServicesContext = createContext<Services | null>(null);

export function useServices(): Services {
  const services = useContext(ServicesContext);
  if (!services) throw new Error("No services above this component");
  return services;
}

export function useConnectionState(): ConnectionState {
  const { stream } = useServices();
  return useSyncExternalStore(stream.watch, stream.getState);
}
