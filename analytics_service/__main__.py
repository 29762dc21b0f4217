from analytics_service.main import create_app
from analytics_service.settings import AnalyticsSettings
from shared.service.app import run_service

if __name__ == "__main__":
    settings = AnalyticsSettings()
    run_service("analytics_service", create_app(settings), settings, settings.analytics_port)
