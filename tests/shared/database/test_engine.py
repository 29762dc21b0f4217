"""The engine gives up on servers that don't answer."""

import os
import socket
import time

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from shared.config import Settings
from shared.database import make_engine


def test_a_server_that_accepts_and_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        engine = make_engine(Settings(_env_file=None, db_port=silent.getsockname()[1]))
        began = time.monotonic()
        with pytest.raises(OperationalError):
            engine.connect()
        assert time.monotonic() - began < 15


def test_a_connection_notices_soon_that_its_server_is_gone(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        driver = connection.connection.driver_connection
        assert driver is not None
        with socket.socket(fileno=os.dup(driver.fileno())) as ours:
            assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 5
            assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 10_000
