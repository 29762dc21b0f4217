import type { JsonSchema, PropertySchema } from "../api/types";

/** What the form holds: texts as typed, and yes or no. */
export type FormValues = Record<string, string | boolean>;

export function initialValues(schema: JsonSchema): FormValues {
  return Object.fromEntries(
    Object.entries(schema.properties ?? {}).map(([name, property]) => [
      name,
      property.type === "boolean" ? property.default === true : String(property.default ?? ""),
    ]),
  );
}

/** Values as the schema types them; the server judges what doesn't fit, and says so. */
export function typedValues(schema: JsonSchema, values: FormValues): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(schema.properties ?? {}).map(([name, property]) => [
      name,
      typed(property, values[name] ?? ""),
    ]),
  );
}

function typed(property: PropertySchema, value: string | boolean): unknown {
  if (typeof value === "boolean") return value;
  const text = value.trim();
  const numeric = property.type === "integer" || property.type === "number";
  if (!numeric || text === "") return text;
  const number = Number(text);
  return Number.isFinite(number) ? number : text;
}

export function boundsHint({ minimum, maximum }: PropertySchema): string | undefined {
  if (minimum !== undefined && maximum !== undefined) return `${minimum} to ${maximum}`;
  if (minimum !== undefined) return `${minimum} or more`;
  return maximum === undefined ? undefined : `${maximum} or less`;
}

/** `allocation_percent` → `Allocation percent`. */
export function labelOf(name: string, { title }: PropertySchema): string {
  const words = title ?? name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
