"""A contender for these tests: `program <size> <what it does>`."""

import sys
import time

from bench.measuring import measure, report


def main(size: int, task: str) -> None:
    if task == "fail":
        sys.exit("no such market")
    if task == "silent":
        return
    if task == "hang":
        time.sleep(600)
    if task == "count":
        counted: list[int] = []
        measure(lambda: counted.extend(range(size)), size, lambda: {"counted": len(counted)})
    if task == "miscount":
        report(size, 1.0, 1.0, {"counted": size - 1})
    if task == "slow":
        report(size, 2.0, 4.0, {"counted": size}, {"latency_ms": 7.0})
    if task == "fast":
        report(size, 0.5, 0.5, {"counted": size}, {"latency_ms": 2.0})
    if task == "random":
        report(size, 1.0, 1.0, {"counted": time.monotonic_ns()})


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
