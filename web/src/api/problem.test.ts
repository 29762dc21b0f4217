import { describe, expect, it } from "vitest";
import { sentence } from "./problem";

describe("what is shown of a failure", () => {
  it.each([
    ["must be below slow (10)", "Must be below slow (10)."],
    ["Sign in again.", "Sign in again."],
    ["bad.csv, line 1: it is empty.", "bad.csv, line 1: it is empty."],
  ])("%s", (message, shown) => {
    expect(sentence(new Error(message))).toBe(shown);
  });
});
