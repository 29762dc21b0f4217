"""Connect, see, disconnect: an account's connection to its broker, and its credentials."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec
import structlog
from sqlalchemy import Connection, Engine, text

from order_processor.brokers.broker import Broker
from order_processor.brokers.errors import BrokerAwayError, BrokerError
from shared.auth.vault import Vault, VaultError
from shared.models.base import encode
from shared.models.brokers import BrokerAccount
from shared.trading.terms import Refused

log = structlog.get_logger()

BrokerName = Literal["alpaca"]


class Credentials(msgspec.Struct, frozen=True):
    key_id: str
    secret: str

    def __repr__(self) -> str:
        return "Credentials(…)"


#: Makes the connector of that name.
MakeBroker = Callable[[BrokerName, Credentials], Broker]


class BrokerConnection(msgspec.Struct, frozen=True):
    account_id: UUID
    broker: BrokerName
    account_number: str
    connected: bool
    connected_at: datetime
    disconnected_at: datetime | None


class StoredCredentials(msgspec.Struct, frozen=True):
    broker: BrokerName
    sealed: str


_COLUMNS = (
    "account_id, broker, account_number, credentials IS NOT NULL AS connected, connected_at,"
    " disconnected_at"
)
_SEE = text(f"SELECT {_COLUMNS} FROM broker_connections WHERE account_id = :account_id")  # noqa: S608
#: Nothing, when the account's books are those of another account at a broker.
_CONNECT = text(
    f"""
    INSERT INTO broker_connections AS b
           (account_id, broker, account_number, credentials, connected_at, connected_by)
    VALUES (:account_id, :broker, :account_number, :credentials, now(), :connected_by)
    ON CONFLICT (account_id) DO UPDATE
       SET credentials = excluded.credentials, connected_at = excluded.connected_at,
           connected_by = excluded.connected_by, disconnected_at = NULL
     WHERE b.broker = excluded.broker AND b.account_number = excluded.account_number
    RETURNING {_COLUMNS}
    """  # noqa: S608 - constants of this file
)
_DISCONNECT = text(
    """
    UPDATE broker_connections SET credentials = NULL, disconnected_at = now()
     WHERE account_id = :account_id AND credentials IS NOT NULL
    """
)
_CURRENCY = text(
    "SELECT base_currency FROM accounts WHERE id = :account_id AND status = 'active' FOR SHARE"
)
#: An account at a broker has one set of live books.
_TAKEN = text(
    "SELECT 1 FROM broker_connections WHERE broker = :broker"
    " AND account_number = :account_number AND account_id <> :account_id"
)


class Connections:
    def __init__(
        self, engine: Engine, vault: Vault, make_broker: MakeBroker, verify_within_s: float
    ) -> None:
        self._engine = engine
        self._vault = vault
        self._make_broker = make_broker
        self._verify_within_s = verify_within_s

    async def connect(
        self, account_id: UUID, broker: BrokerName, credentials: Credentials, by: str
    ) -> BrokerConnection | Refused:
        """Once the broker has opened an account with them; nothing is stored before. Again, it
        takes new credentials for the same account at the broker."""
        if not self._vault.usable:
            return Refused(
                "broker_connections_off", "The platform has no key to keep credentials under."
            )
        account = await self._verified(broker, credentials)
        if isinstance(account, Refused):
            return account
        sealed = self._vault.seal(encode(credentials), context_of(account_id, broker))
        return await asyncio.to_thread(self._store, account_id, broker, account, sealed, by)

    async def _verified(
        self, name: BrokerName, credentials: Credentials
    ) -> BrokerAccount | Refused:
        broker = self._make_broker(name, credentials)
        try:
            async with asyncio.timeout(self._verify_within_s):
                return await broker.verify()
        except TimeoutError:
            return Refused("broker_away", "The broker did not answer in time.")
        except BrokerAwayError as error:
            return Refused("broker_away", error.message)
        except BrokerError as error:
            return Refused(error.code, error.message)
        finally:
            await broker.close()

    def _store(
        self, account_id: UUID, broker: BrokerName, account: BrokerAccount, sealed: str, by: str
    ) -> BrokerConnection | Refused:
        named = {
            "account_id": account_id,
            "broker": broker,
            "account_number": account.number,
        }
        with self._engine.begin() as connection:
            fault = _account_fault(connection, named, account.currency)
            if fault is not None:
                return fault
            row = connection.execute(
                _CONNECT, named | {"credentials": sealed, "connected_by": by}
            ).one_or_none()
        if row is None:
            return Refused(
                "broker_account_differs",
                "The account's live books are those of another account at a broker.",
            )
        log.info("broker_connected", account_id=str(account_id), broker=broker, by=by)
        return BrokerConnection(*row)

    def see(self, account_id: UUID) -> BrokerConnection | None:
        with self._engine.connect() as connection:
            row = connection.execute(_SEE, {"account_id": account_id}).one_or_none()
        return None if row is None else BrokerConnection(*row)

    def disconnect(self, account_id: UUID) -> bool:
        """Erase the credentials; whether there were any."""
        with self._engine.begin() as connection:
            erased = connection.execute(_DISCONNECT, {"account_id": account_id}).rowcount == 1
        if erased:
            log.info("broker_disconnected", account_id=str(account_id))
        return erased

    def seal_anew(self) -> int:
        """Put credentials that an older key has sealed under the one that seals now; how many.
        Those that no key opens are told of and left."""
        if not self._vault.usable:
            return 0
        done = 0
        with self._engine.begin() as connection:
            rows = connection.execute(
                text(
                    "SELECT account_id, broker, credentials FROM broker_connections"
                    " WHERE credentials IS NOT NULL ORDER BY account_id FOR UPDATE"
                )
            ).all()
            for account_id, broker, sealed in rows:
                if self._vault.is_current(sealed):
                    continue
                context = context_of(account_id, broker)
                try:
                    secret = self._vault.open(sealed, context)
                except VaultError as error:
                    log.error(
                        "credentials_not_opened", account_id=str(account_id), error=str(error)
                    )
                    continue
                connection.execute(
                    text("UPDATE broker_connections SET credentials = :c WHERE account_id = :a"),
                    {"c": self._vault.seal(secret, context), "a": account_id},
                )
                done += 1
        if done:
            log.info("credentials_sealed_anew", count=done)
        return done


def context_of(account_id: UUID, broker: str) -> str:
    return f"broker_connections/{account_id}/{broker}"


def _account_fault(
    connection: Connection, named: dict[str, object], currency: str
) -> Refused | None:
    ours = connection.execute(_CURRENCY, named).scalar_one_or_none()
    if ours is None:
        return Refused("account_closed", "The account is closed.")
    if ours != currency:
        return Refused(
            "currency_mismatch",
            "The account at the broker has another currency.",
            limit=ours,
            observed=currency,
        )
    if connection.execute(_TAKEN, named).one_or_none() is not None:
        return Refused(
            "broker_account_taken", "Another account is connected to that account at the broker."
        )
    return None
