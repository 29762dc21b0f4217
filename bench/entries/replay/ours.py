import random
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.embedded import installed
from bench.measuring import report

_SEED = 20131007
_OPENS = datetime(2013, 10, 7, 8, 0, tzinfo=UTC)
_MINUTES = 828


def write_trades(path: Path, count: int) -> None:
    """A walk by hundredths, evenly spread over the day."""
    numbers = random.Random(_SEED)
    price = 168.0
    with path.open("w", newline="") as file:
        file.write("timestamp,symbol,price,size\n")
        for at_ms in sorted(numbers.randrange(_MINUTES * 60_000) for _ in range(count)):
            price = round(max(1.0, price + numbers.choice((-0.01, 0.0, 0.0, 0.01))), 2)
            at = (_OPENS + timedelta(milliseconds=at_ms)).isoformat(timespec="milliseconds")
            file.write(f"{at},SPY,{price:.2f},{numbers.randrange(1, 500)}\n")


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder, installed() as platform:
        path = Path(folder) / f"spy-{count}.csv"
        write_trades(path, count)
        before_s = platform.cpu_s()
        demo = platform.demo("--trades", str(path), "--param", "fast=10", "--param", "slow=30")
        cpu_s = platform.cpu_s() - before_s
        checks = {name: demo[name] for name in ("ticks", "executions", "executions_digest")}
        figures = {"platform_mb": platform.memory_mb()}
    report(count, demo["duration_s"], cpu_s, checks, figures)


if __name__ == "__main__":
    main(int(sys.argv[1]))
