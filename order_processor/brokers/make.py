"""Connectors by name."""

from functools import partial

from sqlalchemy import Engine

from order_processor.brokers.broker import Broker
from order_processor.brokers.connections import BrokerName, Credentials, MakeBroker
from order_processor.brokers.naming import NamedBroker
from order_processor.settings import OrderProcessorSettings
from shared.mappings import name_at, symbols_at


def broker_maker(settings: OrderProcessorSettings, engine: Engine) -> MakeBroker:
    """`engine`: where the brokers' names for symbols are."""

    def make(name: BrokerName, credentials: Credentials) -> Broker:
        # Its libraries cost an idle service memory: most platforms have no broker.
        from order_processor.brokers.alpaca.client import AlpacaBroker

        broker = AlpacaBroker(
            settings.alpaca_url,
            credentials.key_id,
            credentials.secret,
            settings.broker_answer_timeout_s,
        )
        return NamedBroker(
            broker, partial(name_at, engine, name), partial(symbols_at, engine, name)
        )

    return make
