/**
 * Decimals as the platform sends them: strings. Nothing here goes through a float, so what is
 * displayed or compared is exactly what was sent.
 */

type Scaled = { units: bigint; scale: number };

const PATTERN = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/;

/** `null` when the text isn't a decimal number. */
function parse(text: string): Scaled | null {
  const match = PATTERN.exec(text.trim());
  if (!match) return null;
  const [, sign, whole = "", fraction = "", exponent = "0"] = match;
  if (whole === "" && fraction === "") return null;
  const units = BigInt(whole + fraction) * (sign === "-" ? -1n : 1n);
  const scale = fraction.length - Number(exponent);
  return scale < 0 ? { units: units * 10n ** BigInt(-scale), scale: 0 } : { units, scale };
}

function parsed(text: string): Scaled {
  const value = parse(text);
  if (!value) throw new RangeError(`Not a decimal number: ${text}`);
  return value;
}

function render({ units, scale }: Scaled): string {
  const negative = units < 0n;
  const digits = (negative ? -units : units).toString().padStart(scale + 1, "0");
  const whole = digits.slice(0, digits.length - scale);
  const fraction = digits.slice(digits.length - scale).replace(/0+$/, "");
  const text = fraction ? `${whole}.${fraction}` : whole;
  return negative && text !== "0" ? `-${text}` : text;
}

function aligned(a: string, b: string): [bigint, bigint, number] {
  const left = parsed(a);
  const right = parsed(b);
  const scale = Math.max(left.scale, right.scale);
  return [
    left.units * 10n ** BigInt(scale - left.scale),
    right.units * 10n ** BigInt(scale - right.scale),
    scale,
  ];
}

export function isDecimal(text: string): boolean {
  return parse(text) !== null;
}

export function add(a: string, b: string): string {
  const [left, right, scale] = aligned(a, b);
  return render({ units: left + right, scale });
}

export function subtract(a: string, b: string): string {
  const [left, right, scale] = aligned(a, b);
  return render({ units: left - right, scale });
}

export function multiply(a: string, b: string): string {
  const left = parsed(a);
  const right = parsed(b);
  return render({ units: left.units * right.units, scale: left.scale + right.scale });
}

export function compare(a: string, b: string): -1 | 0 | 1 {
  const [left, right] = aligned(a, b);
  return left < right ? -1 : left > right ? 1 : 0;
}

export function sign(text: string): -1 | 0 | 1 {
  const { units } = parsed(text);
  return units < 0n ? -1 : units > 0n ? 1 : 0;
}

/** Digits after the point that `step` (a tick or lot size) needs: 2 for `0.01`, 0 for `1`. */
export function fractionDigits(step: string): number {
  const fraction = render(parsed(step)).split(".")[1];
  return fraction?.length ?? 0;
}

/** Whether `value` is a whole number of `step`s. */
export function isMultiple(value: string, step: string): boolean {
  const [left, right] = aligned(value, step);
  return right !== 0n && left % right === 0n;
}
