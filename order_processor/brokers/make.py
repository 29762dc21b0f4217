"""Connectors by name."""

from order_processor.brokers.broker import Broker
from order_processor.brokers.connections import BrokerName, Credentials, MakeBroker
from order_processor.settings import OrderProcessorSettings


def broker_maker(settings: OrderProcessorSettings) -> MakeBroker:
    def make(_: BrokerName, credentials: Credentials) -> Broker:
        # Its libraries cost an idle service memory: most platforms have no broker.
        from order_processor.brokers.alpaca.client import AlpacaBroker

        return AlpacaBroker(
            settings.alpaca_url,
            credentials.key_id,
            credentials.secret,
            settings.broker_answer_timeout_s,
        )

    return make
