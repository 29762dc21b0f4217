from pydantic import Field

from shared.config import Settings


class StrategyWorkersSettings(Settings):
    strategy_workers_port: int = Field(default=8005, ge=1, le=65535)
    #: A worker takes no more deployments than this; others are left to other workers.
    strategy_max_deployments: int = Field(default=5000, ge=1)
    #: Marks without orders that may pass before state goes to the database. After a crash they
    #: are worked through again, to the same effect.
    strategy_snapshot_marks: int = Field(default=32, ge=1, le=1000)
    #: After this an order command without an answer is sent again, under the same order id.
    strategy_answer_timeout_s: float = Field(default=2.0, gt=0, le=60)
    #: A hook that takes longer is broken into, and its deployment paused.
    strategy_hook_timeout_s: float = Field(default=2.0, ge=0.1, le=60)
    #: Of the process of an uploaded strategy.
    strategy_memory_mib: int = Field(default=512, ge=128, le=65536)
    #: How long a live run's first candles may be waited for before a deployment starts cold.
    strategy_history_timeout_s: float = Field(default=5.0, gt=0, le=60)
