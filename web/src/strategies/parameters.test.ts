import { expect, test } from "vitest";
import { boundsHint, initialValues, labelOf, typedValues } from "./parameters";

const schema = {
  properties: {
    fast: { type: "integer", default: 10, minimum: 2, maximum: 500 },
    allocation: { type: "number", default: 95 },
    kind: { type: "string", enum: ["a", "b"], default: "a" },
    long_only: { type: "boolean", default: true },
  },
};

test("a form starts with the defaults of its schema", () => {
  expect(initialValues(schema)).toEqual({
    fast: "10",
    allocation: "95",
    kind: "a",
    long_only: true,
  });
});

test("values are sent as the types that the schema names", () => {
  const values = { fast: " 20 ", allocation: "97.5", kind: "b", long_only: false };
  expect(typedValues(schema, values)).toEqual({
    fast: 20,
    allocation: 97.5,
    kind: "b",
    long_only: false,
  });
});

test("what is no number goes to the server as it was typed, to be refused there", () => {
  const values = { fast: "ten", allocation: "", kind: "a", long_only: true };
  expect(typedValues(schema, values)).toMatchObject({ fast: "ten", allocation: "" });
});

test("hints and labels", () => {
  expect(boundsHint({ minimum: 2, maximum: 500 })).toBe("2 to 500");
  expect(boundsHint({ minimum: 2 })).toBe("2 or more");
  expect(boundsHint({})).toBe(undefined);
  expect(labelOf("allocation_percent", {})).toBe("Allocation percent");
});
