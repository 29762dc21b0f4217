from api_gateway.main import create_app
from api_gateway.settings import GatewaySettings
from shared.service.app import run_service

if __name__ == "__main__":
    settings = GatewaySettings()
    run_service("api_gateway", create_app(settings), settings, settings.api_gateway_port)
