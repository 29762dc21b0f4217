from shared.service.app import run_service
from strategy_workers.main import create_app
from strategy_workers.settings import StrategyWorkersSettings

settings = StrategyWorkersSettings()
run_service("strategy_workers", create_app(settings), settings, settings.strategy_workers_port)
