import { describe, expect, test } from "vitest";
import {
  add,
  compare,
  fractionDigits,
  isDecimal,
  isMultiple,
  multiply,
  sign,
  subtract,
} from "./decimal";

describe("decimals", () => {
  test("sums stay exact where floats would not", () => {
    expect(add("0.1", "0.2")).toBe("0.3");
    expect(add("99999999999999999999.99", "0.01")).toBe("100000000000000000000");
    expect(subtract("1", "1.000000000001")).toBe("-0.000000000001");
  });

  test("products keep every digit", () => {
    expect(multiply("123.456789", "-1000.01")).toBe("-123458.02356789");
    expect(multiply("-0.0", "5")).toBe("0");
  });

  test("the platform's exponent form is understood", () => {
    expect(add("1E+3", "0")).toBe("1000");
    expect(add("1e-8", "0")).toBe("0.00000001");
    expect(add("0E-12", "0")).toBe("0");
  });

  test("comparison ignores how a number is written", () => {
    expect(compare("1.50", "1.5")).toBe(0);
    expect(compare("-2", "1")).toBe(-1);
    expect(sign("-0.00")).toBe(0);
  });

  test("what isn't a number is recognised", () => {
    for (const text of ["", ".", "-", "1,000", "0x10", "NaN", "Infinity", "1.2.3", "1e9999"]) {
      expect(isDecimal(text), text).toBe(false);
    }
    expect(isDecimal(" 12.5 ")).toBe(true);
    expect(() => add("x", "1")).toThrow(RangeError);
  });

  test("lots and ticks", () => {
    expect(isMultiple("100.05", "0.01")).toBe(true);
    expect(isMultiple("100.055", "0.01")).toBe(false);
    expect(isMultiple("7", "0")).toBe(false);
    expect(fractionDigits("0.0100")).toBe(2);
    expect(fractionDigits("5")).toBe(0);
  });
});
