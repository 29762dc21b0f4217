import { expect, test } from "vitest";
import { marketFileName } from "./fileName";

test.each([
  ["SPY-2026.csv.gz", "SPY-2026.csv.gz"],
  ["SPY day (1).csv", "SPY_day_1_.csv"],
  ["-Zoë.csv", "Zo_.csv"],
  ["日", "trades"],
])("%s is uploaded as %s", (name, taken) => {
  expect(marketFileName(name)).toBe(taken);
});
