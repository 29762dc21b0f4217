"""Keep as many strategy workers running as deployments and backtests need: `docs/workers.md`."""
