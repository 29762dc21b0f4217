import { useCallback, useEffect, useState } from "react";
import { sentence } from "../api/problem";
import type { User } from "../api/types";
import { SignInScreen } from "../session/SignInScreen";
import { SessionEnded } from "../session/session";
import { Failure, Loading } from "../ui/Notice";
import { Toasts } from "../ui/Toasts";
import { type Services, ServicesContext } from "./services";
import { Terminal } from "./Terminal";

type Stage =
  | { at: "starting" }
  | { at: "signed_out"; ended: boolean }
  | { at: "unreachable"; why: string }
  | { at: "signed_in"; user: User };

export function App({ services }: { services: Services }) {
  const { session, api, stream } = services;
  const [stage, setStage] = useState<Stage>({ at: "starting" });

  const enter = useCallback(async () => {
    try {
      const user = await api.get<User>("/auth/me");
      stream.start();
      setStage({ at: "signed_in", user });
    } catch (error) {
      if (error instanceof SessionEnded) return; // `onEnded` has said so
      setStage({ at: "unreachable", why: sentence(error) });
    }
  }, [api, stream]);

  useEffect(() => {
    session.onEnded = () => {
      stream.stop();
      setStage((old) => ({ at: "signed_out", ended: old.at === "signed_in" }));
    };
    void session.discardCopyOfAnotherTab().then(() => {
      if (session.signedIn) void enter();
      else setStage({ at: "signed_out", ended: false });
    });
  }, [session, stream, enter]);

  const signOut = useCallback(async () => {
    await session.signOut();
    setStage({ at: "signed_out", ended: false });
  }, [session]);

  return (
    <ServicesContext value={services}>
      <Toasts>
        {stage.at === "starting" ? <Loading what="the terminal" /> : null}
        {stage.at === "unreachable" ? (
          <main className="sign-in">
            <div className="sign-in-card">
              <Failure
                action={
                  <button type="button" onClick={() => void enter()}>
                    Try again
                  </button>
                }
              >
                {stage.why}
              </Failure>
            </div>
          </main>
        ) : null}
        {stage.at === "signed_out" ? (
          <SignInScreen ended={stage.ended} onSignedIn={() => void enter()} />
        ) : null}
        {stage.at === "signed_in" ? (
          <Terminal user={stage.user} onSignOut={() => void signOut()} />
        ) : null}
      </Toasts>
    </ServicesContext>
  );
}
