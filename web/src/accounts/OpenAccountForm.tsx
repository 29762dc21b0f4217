import { type FormEvent, useState } from "react";
import { Problem, sentence } from "../api/problem";
import type { Account, AccountOpening } from "../api/types";
import { useServices } from "../app/services";
import { TextField } from "../ui/Field";
import { Failure } from "../ui/Notice";

/** Opens an account with a paper book. */
export function OpenAccountForm({ onOpened }: { onOpened(account: Account): void }) {
  const { api } = useServices();
  const [name, setName] = useState("");
  const [currency, setCurrency] = useState("USD");
  const [capital, setCapital] = useState("100000");
  const [fee, setFee] = useState("");
  const [slippage, setSlippage] = useState("");
  const [problem, setProblem] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      const account = await api.post<Account>("/accounts", {
        name: name.trim(),
        base_currency: currency.trim().toUpperCase(),
        paper_capital: capital.trim(),
        ...(fee.trim() ? { paper_fee_bps: fee.trim() } : {}),
        ...(slippage.trim() ? { paper_slippage_bps: slippage.trim() } : {}),
      } satisfies AccountOpening);
      onOpened(account);
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  };

  const field = (key: string) => (problem instanceof Problem ? problem.field(key) : undefined);
  return (
    <form onSubmit={submit}>
      {problem ? <Failure>{sentence(problem)}</Failure> : null}
      <TextField
        label="Name"
        value={name}
        onChange={setName}
        placeholder="Main"
        error={field("name")}
        required
      />
      <div className="pair">
        <TextField
          label="Paper capital"
          inputMode="decimal"
          value={capital}
          onChange={setCapital}
          hint="Play money to start with"
          error={field("paper_capital")}
          required
        />
        <TextField
          label="Currency"
          value={currency}
          onChange={setCurrency}
          maxLength={3}
          autoCapitalize="characters"
          error={field("base_currency")}
          required
        />
      </div>
      <div className="pair">
        <TextField
          label="Fee (bps)"
          inputMode="decimal"
          value={fee}
          onChange={setFee}
          placeholder="default"
          hint="1 bps = 0.01 % of notional"
          error={field("paper_fee_bps")}
        />
        <TextField
          label="Slippage (bps)"
          inputMode="decimal"
          value={slippage}
          onChange={setSlippage}
          placeholder="default"
          hint="Worse price per fill"
          error={field("paper_slippage_bps")}
        />
      </div>
      <button type="submit" className="primary wide" disabled={busy}>
        {busy ? "Opening …" : "Open paper account"}
      </button>
    </form>
  );
}
