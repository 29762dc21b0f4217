from market_data_engine.main import create_app
from market_data_engine.settings import MarketDataSettings
from shared.service.app import run_service


def main() -> None:
    settings = MarketDataSettings()
    run_service("market_data_engine", create_app(settings), settings, settings.market_data_port)


if __name__ == "__main__":
    main()
