import { type FormEvent, useCallback, useState } from "react";
import { Problem, sentence } from "../api/problem";
import type {
  Deployment,
  DeploymentRequest,
  Mode,
  Page,
  PropertySchema,
  Strategy,
} from "../api/types";
import { useServices } from "../app/services";
import { useLoaded } from "../app/useLoaded";
import { TIMEFRAMES, type Timeframe } from "../stream/messages";
import { Field, SelectField, TextField } from "../ui/Field";
import { Failure, Loading } from "../ui/Notice";
import { boundsHint, type FormValues, initialValues, labelOf, typedValues } from "./parameters";

type Props = {
  accountId: string;
  mode: Mode;
  symbol: string;
  timeframe: Timeframe;
  onStarted(deployment: Deployment): void;
};

export function StartStrategyForm(props: Props) {
  const { api } = useServices();
  const load = useCallback(() => api.get<Page<Strategy>>("/strategies"), [api]);
  const { data, error } = useLoaded(load);
  const [name, setName] = useState<string>();
  if (error) return <Failure>{error}</Failure>;
  if (!data) return <Loading what="strategies" />;
  const strategy = data.items.find((one) => one.name === name) ?? data.items[0];
  if (!strategy) return <Failure>No strategies are installed.</Failure>;
  return (
    <>
      <SelectField
        label="Strategy"
        value={strategy.name}
        onChange={setName}
        options={data.items.map((one) => [one.name, one.title] as const)}
        hint={strategy.description}
      />
      <ParametersForm key={strategy.name} strategy={strategy} {...props} />
    </>
  );
}

function ParametersForm({ strategy, ...props }: Props & { strategy: Strategy }) {
  const { accountId, mode, onStarted } = props;
  const { api } = useServices();
  const [symbols, setSymbols] = useState(props.symbol);
  const [timeframe, setTimeframe] = useState(props.timeframe);
  const [values, setValues] = useState<FormValues>(() => initialValues(strategy.parameters));
  const [problem, setProblem] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      const deployment = await api.post<Deployment>(`/accounts/${accountId}/deployments`, {
        strategy: strategy.name,
        parameters: typedValues(strategy.parameters, values),
        symbols: symbols
          .toUpperCase()
          .split(/[\s,]+/)
          .filter(Boolean),
        timeframe,
        mode,
      } satisfies DeploymentRequest);
      onStarted(deployment);
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  };

  const error = (name: string) => (problem instanceof Problem ? problem.field(name) : undefined);
  const shownAtField = ["symbols", ...Object.keys(values)].some((name) => error(name));
  return (
    <form onSubmit={submit}>
      <div className="pair">
        <TextField
          label="Symbols"
          value={symbols}
          onChange={setSymbols}
          hint="Separated by commas"
          error={error("symbols")}
          autoCapitalize="characters"
          spellCheck={false}
          required
        />
        <SelectField
          label="Timeframe"
          value={timeframe}
          onChange={(value) => setTimeframe(TIMEFRAMES.find((one) => one === value) ?? timeframe)}
          options={TIMEFRAMES.map((one) => [one, one] as const)}
        />
      </div>
      <div className="pair">
        {Object.entries(strategy.parameters.properties ?? {}).map(([name, schema]) => (
          <ParameterField
            key={name}
            name={name}
            schema={schema}
            value={values[name] ?? ""}
            error={error(name)}
            onChange={(value) => setValues((old) => ({ ...old, [name]: value }))}
          />
        ))}
      </div>
      {problem && !shownAtField ? <Failure>{sentence(problem)}</Failure> : null}
      <button type="submit" className="primary wide" disabled={busy}>
        {busy ? "Starting …" : `Start on ${mode}`}
      </button>
    </form>
  );
}

type ParameterFieldProps = {
  name: string;
  schema: PropertySchema;
  value: string | boolean;
  error: string | undefined;
  onChange(value: string | boolean): void;
};

function ParameterField({ name, schema, value, error, onChange }: ParameterFieldProps) {
  const label = labelOf(name, schema);
  const hint = [schema.description, boundsHint(schema)].filter(Boolean).join(" · ");
  if (typeof value === "boolean") {
    return (
      <Field label={label} hint={hint} error={error}>
        {(ids) => (
          <input
            type="checkbox"
            {...ids}
            checked={value}
            onChange={(event) => onChange(event.target.checked)}
          />
        )}
      </Field>
    );
  }
  if (schema.enum) {
    return (
      <SelectField
        label={label}
        hint={error ?? hint}
        value={value}
        onChange={onChange}
        options={schema.enum.map((one) => [String(one), String(one)] as const)}
      />
    );
  }
  const numeric = schema.type === "integer" || schema.type === "number";
  return (
    <TextField
      label={label}
      hint={hint}
      error={error}
      inputMode={numeric ? "decimal" : "text"}
      value={value}
      onChange={onChange}
      required
    />
  );
}
