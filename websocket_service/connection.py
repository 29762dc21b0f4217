"""One client's connection: reads its messages and carries out what they ask for, one by one."""

import asyncio
from datetime import datetime

import structlog
from redis.exceptions import RedisError
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from shared.auth import Principal
from shared.models.topics import (
    TIME_TOPIC,
    AccountTopic,
    NotificationsTopic,
    TimeTopic,
    Topic,
    parse_topic,
)
from websocket_service import protocol
from websocket_service.authority import Authority
from websocket_service.client import Client
from websocket_service.errors import ServiceAwayError, SubscriptionRefusedError, unavailable
from websocket_service.hub import Hub
from websocket_service.observers import Observer, Observers
from websocket_service.protocol import (
    Ack,
    Auth,
    ClientProtocol,
    Close,
    Pace,
    Ping,
    Refused,
    Subscribe,
    Unsubscribe,
)

log = structlog.get_logger()


class ClientConnection:
    def __init__(
        self,
        connection: ServerConnection,
        client: Client,
        state: ClientProtocol,
        hub: Hub,
        authority: Authority,
        observers: Observers,
    ) -> None:
        self._connection = connection
        self.client = client
        self._state = state
        self._hub = hub
        self._authority = authority
        self._observers = observers
        self._observer: Observer | None = None

    @property
    def principal(self) -> Principal | None:
        return self._state.principal

    def end_if_overdue(self, now: datetime) -> None:
        close = self._state.overdue(now)
        if close is not None:
            self.client.close(close)

    async def serve(self) -> None:
        """Returns when the connection is closed and nothing of it is left here."""
        try:
            async for message in self._connection:
                await self._handle(message)
        except ConnectionClosed:
            pass
        finally:
            for topic in self._state.topics:
                self._hub.leave(self.client, topic)
            if self._observer is not None:
                await self._observers.leave(self._observer)
            await self.client.finished()

    async def _handle(self, message: str | bytes) -> None:
        match self._state.receive(message):
            case Refused() as refused:
                self._refuse(refused)
            case Close() as close:
                self.client.close(close)
            case Auth(token=token):
                await self._authenticate(token)
            case Subscribe(topics=names, resume=resume):
                await self._subscribe(list(dict.fromkeys(names)), resume)
            case Unsubscribe(topics=names):
                self._unsubscribe(names)
            case Ping():
                self.client.send(protocol.PONG)
            case Pace():
                await self._pace()
            case Ack(number=number):
                assert self._observer is not None
                self._observer.acknowledge(number)

    def _refuse(self, refused: Refused) -> None:
        self.client.send(protocol.error_message(refused))

    async def _authenticate(self, token: str) -> None:
        try:
            answer = await self._authority.sign_in(token)
        except ServiceAwayError:
            error = Refused("temporarily_unavailable", "Sign-in can't be checked now.")
            if self.principal is None:
                self.client.close(Close(protocol.TRY_AGAIN_LATER, "try again later", error))
            else:
                self._refuse(error)
            return
        if isinstance(answer, Refused):
            self.client.close(Close(protocol.NOT_AUTHENTICATED, "not authenticated", answer))
            return
        close = self._state.authenticate(answer)
        if close is not None:
            self.client.close(close)
            return
        self.client.send(protocol.AUTHENTICATED)

    async def _subscribe(self, names: list[str], resume: dict[str, int]) -> None:
        topics: dict[str, Topic] = {}
        for name in names:
            topic = parse_topic(name)
            if topic is None:
                self._refuse(Refused("unknown_topic", "There is no such topic.", name))
            else:
                topics[name] = topic
        try:
            hidden = await self._hidden(topics)
        except ServiceAwayError:
            for name in topics:
                self._refuse(Refused(unavailable().code, str(unavailable()), name))
            return
        for name in hidden:
            del topics[name]
            self._refuse(Refused("not_found", "There is no such topic.", name))
        await asyncio.gather(
            *(self._join(name, topic, resume.get(name)) for name, topic in topics.items())
        )

    async def _hidden(self, topics: dict[str, Topic]) -> list[str]:
        """Topics of accounts that don't exist or are someone else's, and of other users."""
        assert self.principal is not None
        accounts = {
            name: topic.account_id
            for name, topic in topics.items()
            if isinstance(topic, AccountTopic)
        }
        visible = await self._authority.visible_accounts(self.principal, set(accounts.values()))
        hidden = [name for name, account_id in accounts.items() if account_id not in visible]
        hidden += [
            name
            for name, topic in topics.items()
            if isinstance(topic, NotificationsTopic) and topic.user_id != self.principal.user_id
        ]
        return hidden

    async def _join(self, name: str, topic: Topic, resume: int | None) -> None:
        self._state.topics.add(name)
        try:
            await self._hub.join(self.client, name, topic, resume)
        except SubscriptionRefusedError as error:
            self._state.topics.discard(name)
            self._refuse(Refused(error.code, str(error), name))

    def _unsubscribe(self, names: list[str]) -> None:
        for name in dict.fromkeys(names):
            if name not in self._state.topics:
                self._refuse(Refused("not_subscribed", "The topic is not followed.", name))
                continue
            self._state.topics.discard(name)
            self._hub.leave(self.client, name)
            self.client.send(protocol.unsubscribed_message(name))

    async def _pace(self) -> None:
        """From here on the run waits for this client, so it must see every mark."""
        if self._observer is not None:
            self.client.send(protocol.PACING)
            return
        if TIME_TOPIC not in self._state.topics:
            await self._join(TIME_TOPIC, TimeTopic(), None)
        if TIME_TOPIC not in self._state.topics:
            return  # the client has been told why
        self.client.begin_pacing()
        try:
            self._observer = await self._observers.join()
        except RedisError:
            self._refuse(Refused(unavailable().code, "Pacing can't begin now. Try again shortly."))
            return
        self._state.pacing = True
        self.client.send(protocol.PACING)
