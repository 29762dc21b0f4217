import { describe, expect, test } from "vitest";
import { TopicSequence } from "./sequence";

describe("an exact topic", () => {
  test("frames before the snapshot wait for it", () => {
    const topic = new TopicSequence("exact");
    expect(topic.frame(1)).toBe("skip");
    expect(topic.resumeFrom).toBe(null);
    topic.snapshot(4);
    expect(topic.frame(4)).toBe("skip");
    expect(topic.frame(5)).toBe("apply");
  });

  test("a repeated frame is applied once", () => {
    const topic = new TopicSequence("exact");
    topic.snapshot(0);
    expect([1, 1, 2, 1, 2].map((seq) => topic.frame(seq))).toEqual([
      "apply",
      "skip",
      "apply",
      "skip",
      "skip",
    ]);
  });

  test("after a gap nothing is applied until what is missing has come", () => {
    const topic = new TopicSequence("exact");
    topic.snapshot(10);
    expect(topic.frame(12)).toBe("resume");
    expect(topic.frame(13)).toBe("skip");
    expect(topic.resumeFrom).toBe(10);
    topic.resumed();
    expect([11, 12, 13].map((seq) => topic.frame(seq))).toEqual(["apply", "apply", "apply"]);
  });

  test("a snapshot in place of missing frames is taken as it is", () => {
    const topic = new TopicSequence("exact");
    topic.snapshot(10);
    topic.frame(2000);
    topic.snapshot(1999);
    expect(topic.frame(2000)).toBe("apply");
  });

  test("a topic that began anew is followed from its snapshot", () => {
    const topic = new TopicSequence("exact");
    topic.snapshot(500);
    topic.resubscribed();
    topic.snapshot(0);
    expect(topic.frame(1)).toBe("apply");
  });
});

describe("topics that may be conflated", () => {
  test("a candle after a gap is drawn, and a fresh snapshot asked for", () => {
    const topic = new TopicSequence("healed");
    topic.snapshot(1);
    expect(topic.frame(5)).toBe("apply_and_refresh");
    expect(topic.frame(6)).toBe("apply");
    expect(topic.frame(4)).toBe("skip");
    expect(topic.resumeFrom).toBe(null);
  });

  test("of equity only the newest counts", () => {
    const topic = new TopicSequence("latest");
    topic.snapshot(0);
    expect([3, 9, 8].map((seq) => topic.frame(seq))).toEqual(["apply", "apply", "skip"]);
  });
});
