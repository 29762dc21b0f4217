"""The risk ladder at the HTTP edge: who may see and set what."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, text

from shared.config import Settings
from shared.models.risk import EngageKillSwitch
from shared.redis.keys import ids_of_shards, shard_of
from tests.api_gateway.conftest import Api, Person, make_settings, running
from tests.api_gateway.doubles import HttpDouble, ProcessorDouble
from tests.api_gateway.tickets import LIMIT, code

LIMITS = {"max_order_value": "2500.50", "max_orders_per_second": 5, "blocked_symbols": ["IBM"]}


@pytest.fixture
def at(account: dict[str, Any]) -> str:
    return f"/accounts/{account['id']}"


def add_deployment(engine: Engine, account_id: str) -> str:
    with engine.begin() as connection:
        return str(
            connection.execute(
                text(
                    "INSERT INTO deployments (id, account_id, mode, strategy, parameters, symbols,"
                    " timeframe, wanted, status, tape_cursor, signals, created_at, updated_at)"
                    " VALUES (gen_random_uuid(), :account, 'paper', 's', '{}', '[]', '1m',"
                    " 'running', 'running', '0-0', 0, now(), now()) RETURNING id"
                ),
                {"account": account_id},
            ).scalar_one()
        )


async def test_an_owner_sets_limits_of_the_account_and_of_its_strategies(
    trader: Person, account: dict[str, Any], at: str, engine: Engine
) -> None:
    deployment = add_deployment(engine, account["id"])
    for url, level in ((at, "account"), (f"{at}/deployments/{deployment}", "deployment")):
        assert (await trader.http.get(f"{url}/risk/limits")).json()["limits"] == {}
        answer = await trader.http.put(f"{url}/risk/limits", json=LIMITS)
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert (told["level"], told["limits"]) == (
            level,
            {**LIMITS, "max_order_value": "2500.5"},
        )
        assert told["changed_by"] == f"user:{trader.id}"
        assert (await trader.http.get(f"{url}/risk/limits")).json() == told
        # All at once: what is left out is not limited any more.
        cleared = await trader.http.put(f"{url}/risk/limits", json={})
        assert cleared.json()["limits"] == {}


@pytest.mark.parametrize(
    "limits",
    [
        {"max_order_value": "-1"},
        {"max_order_value": "NaN"},
        {"max_loss": "1e30"},
        {"max_orders_per_second": 0},
        {"max_open_orders": 2.5},
        {"price_collar_percent": "101"},
        {"sessions": "night"},
        {"blocked_symbols": ["../x"]},
        {"max_los": "5"},
    ],
)
async def test_limits_that_make_no_sense_are_refused_and_change_nothing(
    trader: Person, at: str, limits: dict[str, Any]
) -> None:
    answer = await trader.http.put(f"{at}/risk/limits", json=limits)
    assert code(answer) == (422, "invalid_request")
    assert (await trader.http.get(f"{at}/risk/limits")).json()["limits"] == {}


async def test_limits_that_a_shard_does_not_confirm_are_stored_and_the_shard_is_named(
    settings: Settings,
    behind: HttpDouble,
    at: str,
    account: dict[str, Any],
    processor: ProcessorDouble,
) -> None:
    shard = shard_of(UUID(account["id"]), settings.order_shards)
    async with running(make_settings(settings, behind.url, order_answer_timeout_s=0.3)) as hasty:
        owner = await hasty.sign_in("ada")
        processor.deaf_to = ids_of_shards(settings.order_shards)[shard]
        answer = await owner.http.put(f"{at}/risk/limits", json={"max_loss": "5"})
        assert code(answer) == (503, "limits_not_confirmed")
        assert answer.json()["shards"] == [shard]
        assert (await owner.http.get(f"{at}/risk/limits")).json()["limits"] == {"max_loss": "5"}
        processor.deaf_to = None
        again = await owner.http.put(f"{at}/risk/limits", json={"max_loss": "5"})
        assert again.status_code == 200


async def test_a_strategy_has_a_loss_limit_and_none_of_exposure_or_of_sessions(
    trader: Person, account: dict[str, Any], at: str, engine: Engine, processor: ProcessorDouble
) -> None:
    url = f"{at}/deployments/{add_deployment(engine, account['id'])}/risk"
    told = await trader.http.put(f"{url}/limits", json={"max_loss": "5", "flatten_on_loss": True})
    assert told.json()["limits"] == {"max_loss": "5", "flatten_on_loss": True}
    for limit in ("max_gross_exposure", "max_session_loss"):
        answer = await trader.http.put(f"{url}/limits", json={limit: "5"})
        assert code(answer) == (422, "invalid_request")
    acknowledged = await trader.http.post(f"{url}/acknowledge")
    assert code(acknowledged) == (409, "loss_limit_not_latched")
    assert str(getattr(processor.commands[-1], "deployment_id", None)) in url
    missing = await trader.http.post(f"{at}/deployments/{uuid4()}/risk/acknowledge")
    assert code(missing) == (404, "not_found")


async def test_admins_limit_users_and_the_platform_and_traders_do_not(
    api: Api, trader: Person, at: str
) -> None:
    admin = await api.admin()
    for url in ("/risk/limits", f"/risk/users/{trader.id}/limits"):
        assert code(await trader.http.put(url, json=LIMITS)) == (403, "admins_only")
        assert code(await trader.http.get(url)) == (403, "admins_only")
        assert (await admin.http.put(url, json=LIMITS)).status_code == 200
    assert code(await admin.http.put(f"/risk/users/{uuid4()}/limits", json=LIMITS)) == (
        404,
        "not_found",
    )
    # Admins see an account's limits, and leave them to its owner.
    assert (await admin.http.get(f"{at}/risk/limits")).status_code == 200
    assert code(await admin.http.put(f"{at}/risk/limits", json=LIMITS)) == (
        403,
        "admins_can_not_trade",
    )


async def test_someone_elses_account_has_no_risk_to_see_or_switch(
    api: Api, trader: Person, at: str
) -> None:
    other = await api.person("eve")
    calls = [
        other.http.get(f"{at}/risk"),
        other.http.get(f"{at}/risk/limits"),
        other.http.get(f"{at}/audit"),
        other.http.put(f"{at}/risk/limits", json={}),
        other.http.put(f"{at}/deployments/{uuid4()}/risk/limits", json={}),
        other.http.post(f"{at}/risk/kill-switch", json={"reason": "mine"}),
        other.http.post(f"{at}/risk/acknowledge", json={}),
        other.http.delete(f"{at}/risk/kill-switch"),
    ]
    for call in calls:
        assert code(await call) == (404, "not_found")
    missing = await trader.http.put(f"{at}/deployments/{uuid4()}/risk/limits", json={})
    assert code(missing) == (404, "not_found")


async def test_risk_shows_exposure_and_how_many_strategies_run_and_may(
    api: Api, trader: Person, account: dict[str, Any], at: str, engine: Engine
) -> None:
    add_deployment(engine, account["id"])
    admin = await api.admin()
    await admin.http.put("/risk/limits", json={"max_strategies": 4})
    await trader.http.put(f"{at}/risk/limits", json={"max_strategies": 2})
    answer = await trader.http.get(f"{at}/risk")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["strategies"] == {"used": 1, "allowed": 2, "level": "account"}
    assert (told["gross_exposure"], told["loss_latch"], told["kill_switch"]) == ("0", None, None)


async def test_switching_and_acknowledging_reach_the_processor_with_who_and_where(
    trader: Person, at: str, processor: ProcessorDouble
) -> None:
    body = {"reason": "Feed looks wrong", "flatten": True}
    answer = await trader.http.post(
        f"{at}/risk/kill-switch", json=body, headers={"User-Agent": "tests/2"}
    )
    assert answer.status_code == 200, answer.text
    command = processor.commands[-1]
    assert isinstance(command, EngageKillSwitch)
    assert (command.submitted_by, command.reason, command.flatten) == (
        f"user:{trader.id}",
        "Feed looks wrong",
        True,
    )
    assert command.origin is not None
    assert (command.origin.ip, command.origin.user_agent) == ("127.0.0.1", "tests/2")
    acknowledged = await trader.http.post(f"{at}/risk/acknowledge", json={})
    assert code(acknowledged) == (409, "loss_limit_not_latched")
    released = await trader.http.delete(f"{at}/risk/kill-switch")
    assert code(released) == (409, "kill_switch_not_engaged")
    silent = await trader.http.post(f"{at}/risk/kill-switch", json={"reason": ""})
    assert code(silent) == (422, "invalid_request")


async def test_orders_say_where_they_came_from(
    trader: Person, at: str, processor: ProcessorDouble
) -> None:
    await trader.http.post(f"{at}/orders", json=LIMIT, headers={"User-Agent": "x" * 999})
    origin = getattr(processor.commands[-1], "origin", None)
    assert origin is not None
    assert (origin.ip, origin.user_agent) == ("127.0.0.1", "x" * 256)


async def test_the_platforms_switch_is_stored_pauses_strategies_and_is_released_explicitly(
    api: Api, trader: Person, account: dict[str, Any], engine: Engine
) -> None:
    deployment = add_deployment(engine, account["id"])
    admin = await api.admin()
    url = "/risk/kill-switch"
    assert (await admin.http.get(url)).json()["engaged"] is False
    assert code(await trader.http.post(url, json={"reason": "no"})) == (403, "admins_only")
    assert code(await admin.http.delete(url)) == (409, "kill_switch_not_engaged")
    for flatten in (False, True, False):
        answer = await admin.http.post(url, json={"reason": "Drill", "flatten": flatten})
        assert answer.status_code == 200, answer.text
    with engine.connect() as connection:
        halts, flattens = connection.execute(text("SELECT halts, flatten FROM risk_platform")).one()
        wanted = connection.execute(
            text("SELECT wanted FROM deployments WHERE id = :d"), {"d": deployment}
        ).scalar()
    # Engaged a second time it only adds what is new: closing the positions.
    assert (halts, flattens, wanted) == (2, True, "paused")
    assert (await admin.http.delete(url)).json()["engaged"] is False


async def test_the_trail_is_the_owners_and_the_admins_to_read_page_by_page(
    api: Api, trader: Person, at: str
) -> None:
    for value in ("1", "2", "3"):
        await trader.http.put(f"{at}/risk/limits", json={"max_loss": value})
    admin = await api.admin()
    first = (await trader.http.get(f"{at}/audit", params={"limit": 2})).json()
    rest = await admin.http.get(f"{at}/audit", params={"cursor": first["next_cursor"]})
    entries = [*first["items"], *rest.json()["items"]]
    assert [entry["detail"]["limits"]["max_loss"] for entry in entries] == ["3", "2", "1"]
    assert {entry["actor"] for entry in entries} == {f"user:{trader.id}"}
    assert code(await trader.http.get("/risk/audit")) == (403, "admins_only")
    assert (await admin.http.get("/risk/audit", params={"limit": 1})).json()["items"] == [
        entries[0]
    ]
