"""Symbol mappings through the engine's interface."""

from typing import Any

from tests.market_data_engine.conftest import Engine

PATH = "/internal/market-data/mappings"


async def test_mappings_are_uploaded_whole_listed_exported_and_removed(running: Engine) -> None:
    async def upload(text: str) -> Any:
        query = {"requested_by": "user:1"}
        return await running.http.put(PATH, content=text.encode(), params=query)

    loaded = await running.http.post(f"{PATH}/sets/nse", params={"requested_by": "user:1"})
    assert loaded.status_code == 200, loaded.text
    first = loaded.json()
    assert first["instruments"] == first["added"] > 40
    again = await running.http.post(f"{PATH}/sets/nse", params={"requested_by": "user:1"})
    assert again.json() == {
        "instruments": 0, "added": 0, "changed": 0, "unchanged": first["added"],
    }  # fmt: skip
    none = await running.http.post(f"{PATH}/sets/mars", params={"requested_by": "user:1"})
    assert none.status_code == 404

    done = await upload("party,symbol,token\nyahoo,SPY,SPY\nyahoo,INFY.NSE,INFY.BO\n")
    assert done.json() == {"added": 1, "changed": 1, "unchanged": 0}
    assert (await upload("party,symbol,token\nyahoo,SPY,SPY\n")).json()["unchanged"] == 1
    # Names may change hands within one upload.
    swapped = await upload("party,symbol,token\nyahoo,SPY,INFY.BO\nyahoo,INFY.NSE,SPY\n")
    assert swapped.json() == {"added": 0, "changed": 2, "unchanged": 0}

    refused = await upload("party,symbol,token\nyahoo,QQQ,SPY\nyahoo,NOBODY,X\nalpaca,SPY,SPY\n")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_mappings")
    assert [one["message"] for one in refused.json()["errors"]] == [
        "line 3: NOBODY is in no catalogue.",
        "line 2: SPY of yahoo is INFY.NSE already.",
    ]
    page = (await running.http.get(PATH, params={"query": "sp"})).json()
    assert [(one["party"], one["symbol"], one["token"]) for one in page["items"]] == [
        ("yahoo", "INFY.NSE", "SPY"),
        ("yahoo", "SPY", "INFY.BO"),
    ]
    start = (await running.http.get(PATH, params={"limit": 1, "party": "yahoo"})).json()
    rest = (await running.http.get(PATH, params={"cursor": start["next_cursor"]})).json()
    assert len(start["items"] + rest["items"]) == first["added"] + 1
    table = await running.http.get(PATH, params={"format": "csv", "query": "SPY"})
    assert table.headers["content-type"].startswith("text/csv")
    assert table.text.splitlines()[1:] == ["yahoo,INFY.NSE,SPY,,,,", "yahoo,SPY,INFY.BO,,,,"]
    assert (await upload(table.text)).json()["unchanged"] == 2

    assert (await running.http.delete(f"{PATH}/yahoo/SPY")).status_code == 204
    for path in ("yahoo/SPY", "nobody/SPY", "yahoo/%00"):
        assert (await running.http.delete(f"{PATH}/{path}")).status_code == 404
    bad = await running.http.get(PATH, params={"cursor": "nonsense"})
    assert (bad.status_code, bad.json()["code"]) == (422, "invalid_cursor")
    assert (await running.http.get(f"{PATH}/missing")).json() == {
        "items": [], "next_cursor": None,
    }  # fmt: skip
