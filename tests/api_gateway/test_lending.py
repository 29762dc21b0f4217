from sqlalchemy import Engine, text

from shared.models.risk import FollowLimits
from tests.api_gateway.conftest import Api, Person
from tests.api_gateway.doubles import ProcessorDouble
from tests.api_gateway.test_accounts import code
from tests.order_processor.support import add_instrument

PATH = "/admin/lending/BTC/USDT"


async def test_admins_say_what_can_be_sold_short_and_shards_follow_before_the_answer(
    api: Api, trader: Person, processor: ProcessorDouble, engine: Engine
) -> None:
    admin = await api.admin()
    add_instrument(engine, "BTC/USDT")
    told = await admin.http.patch(PATH, json={"shortable": False, "borrow_fee_bps": "35.50"})
    assert told.json() == {"symbol": "BTC/USDT", "shortable": False, "borrow_fee_bps": "35.5"}
    asked = [each for each in processor.commands if isinstance(each, FollowLimits)]
    assert asked
    assert {each.version for each in asked} == {1}
    again = await admin.http.patch(PATH, json={"shortable": False})
    assert again.json() == told.json()
    for bad in (
        {},
        {"shortable": None},
        {"shortable": "perhaps"},
        {"borrow_fee_bps": "-1"},
        {"borrow_fee_bps": "NaN"},
        {"borrow_fee_bps": "1e9"},
        {"borrow_fee_bps": 10**30},
        {"shortable": True, "tradable": False},
    ):
        assert code(await admin.http.patch(PATH, json=bad)) == (422, "invalid_request"), bad
    unknown = await admin.http.patch("/admin/lending/NOPE", json={"shortable": True})
    assert code(unknown) == (404, "not_found")
    assert code(await trader.http.patch(PATH, json={"shortable": True})) == (403, "admins_only")
    with engine.connect() as connection:
        # Only what changed something.
        [line] = connection.execute(text("SELECT * FROM order_audit WHERE command = 'set_lending'"))
        assert (line.actor, line.symbol) == (f"user:{admin.id}", "BTC/USDT")
        assert line.detail == {
            "before": {"shortable": True, "borrow_fee_bps": "0"},
            "after": {"shortable": False, "borrow_fee_bps": "35.5"},
        }
        rows = connection.execute(text("SELECT shortable, borrow_fee_bps FROM instruments"))
        assert [tuple(row) for row in rows] == [(False, 35.5)]
