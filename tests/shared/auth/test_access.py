from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy import Engine, func, insert, select, update

from shared.auth import Principal, Role, account_access, ended_sessions, session_is_alive
from shared.database.tables import AccountRow, SessionRow, UserRow

TIMEOUT = timedelta(minutes=30)


def sign_in(engine: Engine, role: Role = "trader") -> Principal:
    user_id, session_id = uuid4(), uuid4()
    with engine.begin() as connection:
        connection.execute(
            insert(UserRow).values(
                id=user_id,
                email=f"{user_id}@example.com",
                username=user_id.hex,
                password_hash="-",
                role=role,
            )
        )
        connection.execute(
            insert(SessionRow).values(id=session_id, user_id=user_id, refresh_hash=session_id.hex)
        )
    return Principal(user_id, session_id, role, datetime.now(UTC) + TIMEOUT)


def alive(engine: Engine, principal: Principal) -> bool:
    with engine.connect() as connection:
        return session_is_alive(connection, principal, TIMEOUT)


def test_a_session_lives_until_it_is_ended(engine: Engine) -> None:
    principal = sign_in(engine)
    assert alive(engine, principal)
    with engine.begin() as connection:
        connection.execute(update(SessionRow).values(ended_at=func.now(), ended_reason="logout"))
    assert not alive(engine, principal)


def test_a_session_without_activity_is_over(engine: Engine) -> None:
    principal = sign_in(engine)
    with engine.begin() as connection:
        connection.execute(update(SessionRow).values(last_seen_at=func.now() - TIMEOUT))
    assert not alive(engine, principal)


def test_a_disabled_user_has_no_living_session(engine: Engine) -> None:
    principal = sign_in(engine)
    with engine.begin() as connection:
        connection.execute(update(UserRow).values(status="disabled"))
    assert not alive(engine, principal)


def test_a_token_of_a_role_that_was_taken_away_is_no_longer_good(engine: Engine) -> None:
    principal = sign_in(engine, "admin")
    with engine.begin() as connection:
        connection.execute(update(UserRow).values(role="trader"))
    assert not alive(engine, principal)


def test_a_session_of_another_user_or_of_nobody_is_not_alive(engine: Engine) -> None:
    one, other = sign_in(engine), sign_in(engine)
    mixed = Principal(one.user_id, other.session_id, "trader", one.expires_at)
    unknown = Principal(one.user_id, uuid4(), "trader", one.expires_at)
    assert not alive(engine, mixed)
    assert not alive(engine, unknown)


def test_many_sessions_are_looked_at_together(engine: Engine) -> None:
    living, ended = sign_in(engine), sign_in(engine)
    with engine.begin() as connection:
        connection.execute(
            update(SessionRow)
            .where(SessionRow.id == ended.session_id)
            .values(ended_at=func.now(), ended_reason="logout")
        )
        assert ended_sessions(connection, [living, ended], TIMEOUT) == {ended}
        assert ended_sessions(connection, [], TIMEOUT) == set()


def open_account(engine: Engine, owner_id: UUID) -> UUID:
    account_id = uuid4()
    with engine.begin() as connection:
        connection.execute(
            insert(AccountRow).values(
                id=account_id,
                owner_id=owner_id,
                name="main",
                base_currency="USD",
                paper_capital=Decimal(1000),
                paper_terms={},
            )
        )
    return account_id


def test_an_account_is_seen_by_its_owner_and_by_admins_alone(engine: Engine) -> None:
    owner, stranger = sign_in(engine), sign_in(engine)
    investor, admin = sign_in(engine, "investor"), sign_in(engine, "admin")
    account_id = open_account(engine, owner.user_id)
    with engine.connect() as connection:
        assert account_access(connection, owner, account_id) == "owner"
        assert account_access(connection, admin, account_id) == "admin"
        assert account_access(connection, stranger, account_id) is None
        assert account_access(connection, investor, account_id) is None
        assert account_access(connection, admin, uuid4()) is None
        assert connection.execute(select(func.count()).select_from(AccountRow)).scalar() == 1
