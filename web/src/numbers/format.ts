import { sign } from "./decimal";

const MINUS = "−";

const formats = new Map<string, Intl.NumberFormat>();

function format(minimum: number, maximum: number): Intl.NumberFormat {
  const key = `${minimum}:${maximum}`;
  const known = formats.get(key);
  if (known) return known;
  const made = new Intl.NumberFormat("en-US", {
    minimumFractionDigits: minimum,
    maximumFractionDigits: maximum,
  });
  formats.set(key, made);
  return made;
}

/** A decimal string with grouped digits; extra digits are rounded half away from zero. */
export function formatDecimal(text: string, minimum = 0, maximum = Math.max(minimum, 8)): string {
  // Intl reads decimal strings exactly; its type asks for a literal.
  const written = format(minimum, maximum).format(text as Intl.StringNumericLiteral);
  return written.replace("-", MINUS);
}

export function formatMoney(text: string): string {
  return formatDecimal(text, 2, 2);
}

/** With an explicit plus: for gains and losses. */
export function formatChange(text: string): string {
  const written = formatMoney(text);
  return sign(text) > 0 ? `+${written}` : written;
}

/** Market data is measured in floats: `digits` are those of the instrument's tick. */
export function formatPrice(value: number, digits: number): string {
  return format(digits, digits).format(value).replace("-", MINUS);
}

export function formatCount(value: number): string {
  return format(0, 0).format(value);
}

/** A fraction as percent: `0.1234` → `12.34%`. */
export function formatPercent(fraction: number, digits = 2): string {
  return `${format(digits, digits)
    .format(fraction * 100)
    .replace("-", MINUS)}%`;
}

export type Tone = "gain" | "loss" | "flat";

export function tone(text: string): Tone {
  const s = sign(text);
  return s > 0 ? "gain" : s < 0 ? "loss" : "flat";
}
