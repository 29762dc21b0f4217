"""A worker with the sample strategies, as a process: the tests kill it."""

import asyncio
import signal

from strategy_workers.settings import StrategyWorkersSettings
from strategy_workers.wiring import running_worker
from tests.strategy_workers.sample_strategies import SAMPLES


async def main() -> None:
    told_to_stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told_to_stop.set)
    async with running_worker(StrategyWorkersSettings(_env_file=None), SAMPLES):
        await told_to_stop.wait()


asyncio.run(main())
