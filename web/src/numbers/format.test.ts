import { describe, expect, test } from "vitest";
import {
  formatChange,
  formatDecimal,
  formatMoney,
  formatPercent,
  formatPrice,
  tone,
} from "./format";

describe("formatting", () => {
  test("money is grouped, with two digits, rounded and not cut", () => {
    expect(formatMoney("1234567.895")).toBe("1,234,567.90");
    expect(formatMoney("100000")).toBe("100,000.00");
    expect(formatMoney("-0.005")).toBe("−0.01");
  });

  test("large decimals keep the digits that a float would lose", () => {
    expect(formatMoney("9007199254740993.11")).toBe("9,007,199,254,740,993.11");
    expect(formatDecimal("0.000000012345", 0, 12)).toBe("0.000000012345");
  });

  test("quantities show only the digits they have", () => {
    expect(formatDecimal("10.000000")).toBe("10");
    expect(formatDecimal("0.2500")).toBe("0.25");
  });

  test("a gain has a plus, a loss a minus, nothing has neither", () => {
    expect(formatChange("12.3")).toBe("+12.30");
    expect(formatChange("-12.3")).toBe("−12.30");
    expect(formatChange("0")).toBe("0.00");
    expect([tone("0.01"), tone("-1"), tone("0.00")]).toEqual(["gain", "loss", "flat"]);
  });

  test("prices carry the digits of their tick", () => {
    expect(formatPrice(1499.5, 2)).toBe("1,499.50");
    expect(formatPercent(-0.01234)).toBe("−1.23%");
  });
});
