from order_processor.main import create_app
from order_processor.settings import OrderProcessorSettings
from shared.service.app import run_service

if __name__ == "__main__":
    settings = OrderProcessorSettings()
    run_service("order_processor", create_app(settings), settings, settings.order_processor_port)
