import sys
import time

from bench.embedded import installed
from bench.measuring import report

_REST_S = 10.0


def main(starts: int) -> None:
    with installed() as platform:
        wall_s = cpu_s = 0.0
        for _ in range(starts):
            platform.down()
            began = time.perf_counter()
            platform.up()
            wall_s += time.perf_counter() - began
            cpu_s += platform.cpu_s()
        used_s = platform.cpu_s()
        time.sleep(_REST_S)
        figures = {
            "ready_s": wall_s / starts,
            "idle_mb": platform.memory_mb(),
            "idle_cpu_percent": (platform.cpu_s() - used_s) / _REST_S * 100,
        }
    report(starts, wall_s, cpu_s, {"services": 6}, figures)


if __name__ == "__main__":
    main(int(sys.argv[1]))
