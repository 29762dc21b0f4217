from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

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

    #: Backtests that a worker runs at a time, each in a process of its own; 0: it takes none.
    backtest_processes: int = Field(default=1, ge=0, le=64)
    #: Candles or trades that one may read.
    backtest_max_rows: int = Field(default=5_000_000, ge=1)
    #: One that takes longer is ended.
    backtest_timeout_s: float = Field(default=3600.0, gt=0, le=86_400)
    #: A user may have so many waiting and running, and so many altogether.
    backtests_unfinished_per_user: int = Field(default=10, ge=1)
    backtests_kept_per_user: int = Field(default=200, ge=1)


class LauncherSettings(Settings):
    """Of `python -m strategy_workers.launchers`."""

    worker_launcher: Literal["processes", "docker", "kubernetes"] = "processes"
    #: Told apart by this from workers of other launchers on the same engine, in the same
    #: namespace. A label's value.
    worker_owner: str = Field(default="trading", pattern=r"^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$")
    workers_least: int = Field(default=1, ge=0, le=1000)
    workers_most: int = Field(default=4, ge=1, le=1000)
    #: Deployments that one worker is meant for.
    worker_deployments: int = Field(default=500, ge=1)
    #: How long fewer must do until one is ended.
    worker_calm_s: float = Field(default=60.0, ge=0, le=86_400)
    worker_look_s: float = Field(default=5.0, gt=0, le=600)

    #: Of containers and pods.
    worker_image: str = Field(default="trading-strategy-workers", pattern=r"^\S+$")
    worker_memory_mib: int = Field(default=2048, ge=64)
    worker_cpus: float = Field(default=1.0, gt=0, le=1024)

    #: Of containers.
    worker_network: str | None = None
    #: On the engine's machine: a `.env` for the workers, secrets among it.
    worker_settings_file: Path | None = None

    #: Of pods.
    worker_namespace: str = Field(
        default="trading", pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
    )
    #: Name of the Secret whose key `.env` is the workers' settings file.
    worker_secret: str | None = Field(
        default=None, max_length=253, pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"
    )
    #: Without one: the service account of the pod that the launcher runs in.
    worker_kubeconfig: Path | None = None

    @field_validator(
        "worker_network",
        "worker_settings_file",
        "worker_secret",
        "worker_kubeconfig",
        mode="before",
    )
    @classmethod
    def _nothing_is_none(cls, value: object) -> object:
        return value or None

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.workers_least > self.workers_most:
            raise ValueError("WORKERS_LEAST is more than WORKERS_MOST")
        if self.worker_launcher == "kubernetes" and self.worker_secret is None:
            raise ValueError("WORKER_SECRET must name the Secret with the workers' settings")
        return self
