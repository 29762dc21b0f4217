import { type ComponentProps, type ReactNode, useId } from "react";
import { sentence } from "../api/problem";

type FieldProps = {
  label: string;
  hint?: ReactNode;
  error?: string | undefined;
  children(ids: { id: string; "aria-describedby": string; "aria-invalid": boolean }): ReactNode;
};

/** Label, control, and below it the error, or else the hint. */
export function Field({ label, hint, error, children }: FieldProps) {
  const id = useId();
  const note = `${id}-note`;
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children({ id, "aria-describedby": note, "aria-invalid": error !== undefined })}
      {error === undefined ? (
        <p id={note} className="hint">
          {hint}
        </p>
      ) : (
        <p id={note} className="hint bad" role="alert">
          {sentence(error)}
        </p>
      )}
    </div>
  );
}

type TextFieldProps = Omit<ComponentProps<"input">, "onChange" | "value"> & {
  label: string;
  hint?: ReactNode;
  error?: string | undefined;
  value: string;
  onChange(value: string): void;
};

export function TextField({ label, hint, error, onChange, ...input }: TextFieldProps) {
  return (
    <Field label={label} hint={hint} error={error}>
      {(ids) => <input {...input} {...ids} onChange={(event) => onChange(event.target.value)} />}
    </Field>
  );
}

type SelectFieldProps = {
  label: string;
  hint?: ReactNode;
  value: string;
  options: readonly (readonly [value: string, text: string])[];
  onChange(value: string): void;
};

export function SelectField({ label, hint, value, options, onChange }: SelectFieldProps) {
  return (
    <Field label={label} hint={hint}>
      {(ids) => (
        <select {...ids} value={value} onChange={(event) => onChange(event.target.value)}>
          {options.map(([option, text]) => (
            <option key={option} value={option}>
              {text}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
