import { useId } from "react";

type Props<T extends string> = {
  label: string;
  value: T;
  options: readonly { value: T; text: string; title?: string }[];
  onChange(value: T): void;
  className?: string;
};

/** A few exclusive choices side by side: radio buttons, so the arrow keys work by themselves. */
export function Choice<T extends string>({ label, value, options, onChange, className }: Props<T>) {
  const name = useId();
  return (
    <fieldset className={className ? `choice ${className}` : "choice"}>
      <legend className="visually-hidden">{label}</legend>
      {options.map((option) => (
        <label key={option.value} title={option.title} data-value={option.value}>
          <input
            type="radio"
            name={name}
            value={option.value}
            checked={option.value === value}
            onChange={() => onChange(option.value)}
          />
          <span>{option.text}</span>
        </label>
      ))}
    </fieldset>
  );
}
