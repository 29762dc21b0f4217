import { type FormEvent, useState } from "react";
import { Problem, problemOf, sentence, unreachable } from "../api/problem";
import type { Registration } from "../api/types";
import { useServices } from "../app/services";
import { Choice } from "../ui/Choice";
import { TextField } from "../ui/Field";
import { Failure } from "../ui/Notice";

type Role = "trader" | "investor";

/** `ended` says why a session that was open isn't any more. */
export function SignInScreen({ ended, onSignedIn }: { ended: boolean; onSignedIn(): void }) {
  const [registering, setRegistering] = useState(false);
  return (
    <main className="sign-in">
      <div className="sign-in-card">
        <h1>
          <img src="/favicon.svg" alt="" width="28" height="28" />
          {registering ? "Create your account" : "Sign in"}
        </h1>
        {ended && !registering ? (
          <p className="hint" role="status">
            Your session has ended. Sign in again to go on.
          </p>
        ) : null}
        {registering ? (
          <RegisterForm onSignedIn={onSignedIn} />
        ) : (
          <SignInForm onSignedIn={onSignedIn} />
        )}
        <p className="sign-in-other">
          {registering ? "Already registered?" : "New here?"}{" "}
          <button type="button" className="link" onClick={() => setRegistering(!registering)}>
            {registering ? "Sign in" : "Create an account"}
          </button>
        </p>
      </div>
    </main>
  );
}

function useSubmission(work: () => Promise<void>) {
  const [problem, setProblem] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await work();
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  };
  return { submit, busy, problem };
}

function SignInForm({ onSignedIn }: { onSignedIn(): void }) {
  const { session } = useServices();
  const [login, setLogin] = useState("");
  const [password, setPassword] = useState("");
  const { submit, busy, problem } = useSubmission(async () => {
    await session.signIn(login.trim(), password);
    onSignedIn();
  });
  return (
    <form onSubmit={submit}>
      {problem ? <Failure>{sentence(problem)}</Failure> : null}
      <TextField
        label="E-mail or username"
        value={login}
        onChange={setLogin}
        autoComplete="username"
        autoCapitalize="none"
        spellCheck={false}
        required
        autoFocus
      />
      <TextField
        label="Password"
        type="password"
        value={password}
        onChange={setPassword}
        autoComplete="current-password"
        required
      />
      <button type="submit" className="primary wide" disabled={busy}>
        {busy ? "Signing in …" : "Sign in"}
      </button>
    </form>
  );
}

function RegisterForm({ onSignedIn }: { onSignedIn(): void }) {
  const { session } = useServices();
  const [email, setEmail] = useState("");
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const [role, setRole] = useState<Role>("trader");
  const { submit, busy, problem } = useSubmission(async () => {
    const response = await fetch("/api/v1/auth/register", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({
        email: email.trim(),
        username: username.trim(),
        password,
        role,
      } satisfies Registration),
    }).catch(() => {
      throw unreachable();
    });
    if (!response.ok) throw await problemOf(response);
    await session.signIn(username.trim(), password);
    onSignedIn();
  });
  const field = (name: string) => (problem instanceof Problem ? problem.field(name) : undefined);
  const shownAtField = ["email", "username", "password"].some((name) => field(name));
  return (
    <form onSubmit={submit}>
      {problem && !shownAtField ? <Failure>{sentence(problem)}</Failure> : null}
      <Choice<Role>
        label="I am a"
        value={role}
        onChange={setRole}
        className="wide"
        options={[
          { value: "trader", text: "Trader", title: "Own accounts, trade, run strategies" },
          { value: "investor", text: "Investor", title: "See the accounts you are invited to" },
        ]}
      />
      <TextField
        label="E-mail"
        type="email"
        value={email}
        onChange={setEmail}
        autoComplete="email"
        error={field("email")}
        required
      />
      <TextField
        label="Username"
        value={username}
        onChange={setUsername}
        autoComplete="username"
        autoCapitalize="none"
        spellCheck={false}
        hint="3 to 32 letters, digits, and . _ -"
        error={field("username")}
        required
      />
      <TextField
        label="Password"
        type="password"
        value={password}
        onChange={setPassword}
        autoComplete="new-password"
        hint="8 characters or more, with an upper-case letter, a digit and a special character"
        error={field("password")}
        required
      />
      <button type="submit" className="primary wide" disabled={busy}>
        {busy ? "Creating …" : "Create account"}
      </button>
    </form>
  );
}
