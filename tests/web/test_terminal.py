"""The terminal as its users meet it: a real Chromium on a real platform."""

import os
import re
import signal
import time
from decimal import Decimal
from typing import Any
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.web.conftest import Complaints, Platform

pytestmark = pytest.mark.web

PASSWORD = "Correct-horse-7"
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


def register(page: Page) -> None:
    name = f"t{uuid4().hex[:12]}"
    page.goto("/")
    page.get_by_role("button", name="Create an account").click()
    page.get_by_label("E-mail").fill(f"{name}@example.com")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    page.get_by_role("heading", name="Open your first account").wait_for()


def open_account(page: Page, capital: str = "100000") -> str:
    """Its id."""
    page.get_by_label("Name", exact=True).fill("Main")
    page.get_by_label("Paper capital").fill(capital)
    with page.expect_response("**/api/v1/accounts") as answer:
        page.get_by_role("button", name="Open paper account").click()
    expect(figure(page, "Equity")).to_be_visible()
    account_id: str = answer.value.json()["id"]
    return account_id


def choose_symbol(page: Page, symbol: str) -> None:
    page.keyboard.press("/")
    page.get_by_role("combobox", name="Symbol").fill(symbol)
    page.get_by_role("option", name=symbol).first.wait_for()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name=symbol)).to_be_visible()


def sign_in(page: Page, login: str, password: str) -> None:
    page.goto("/")
    page.get_by_label("E-mail or username").fill(login)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def figure(page: Page, name: str) -> Locator:
    return page.locator(f'[data-figure="{name}"] dd')


def live(page: Page) -> Locator:
    return page.locator(".connection.live")


def run_replay(admin: httpx.Client, **synthetic: object) -> str:
    body = {"synthetic": synthetic, "speed": "max"}
    replay_id: str = admin.post("/replays", json=body).raise_for_status().json()["id"]
    return replay_id


def await_end(admin: httpx.Client, replay_id: str) -> None:
    deadline = time.monotonic() + 60
    while (replay := admin.get(f"/replays/{replay_id}").json())["status"] == "running":
        assert time.monotonic() < deadline, replay
        time.sleep(0.1)
    assert replay["status"] == "finished", replay


def portfolio(admin: httpx.Client, account_id: str) -> dict[str, Any]:
    answer = admin.get(f"/accounts/{account_id}/portfolio?mode=paper").raise_for_status()
    body: dict[str, Any] = answer.json()
    return body


def test_a_wrong_password_is_answered_with_a_sentence(page: Page, complaints: Complaints) -> None:
    complaints.expected.append("401")  # Chromium's own remark on the answer
    sign_in(page, "nobody@example.com", "Wrong-password-1")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(re.compile(r"^[A-Z].+\.$"))
    expect(page.get_by_label("Password")).to_be_visible()


def test_a_weak_password_is_explained_at_its_field(page: Page, complaints: Complaints) -> None:
    complaints.expected.append("422")
    page.goto("/")
    page.get_by_role("button", name="Create an account").click()
    page.get_by_label("E-mail").fill("weak@example.com")
    page.get_by_label("Username").fill("weak")
    page.get_by_label("Password").fill("weakweakweak")
    page.get_by_role("button", name="Create account").click()
    field = page.get_by_label("Password")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("alert")).to_contain_text("Must hold an upper-case letter")


def test_a_strategy_trades_a_replay_before_the_traders_eyes(page: Page, platform: Platform) -> None:
    register(page)
    account = open_account(page)
    expect(page.locator(".mode-badge")).to_have_text("paper")
    expect(figure(page, "Equity")).to_have_text("100,000.00")
    choose_symbol(page, "SIM-RANGE")

    page.get_by_role("tab", name="Strategies").click()
    page.get_by_role("button", name="Start a strategy").click()
    page.get_by_label("Strategy", exact=True).select_option("sma_crossover")
    page.get_by_label("Fast").fill("3")
    page.get_by_label("Slow").fill("8")
    page.get_by_role("button", name="Start on paper").click()
    expect(page.locator("td .status.running")).to_be_visible(timeout=20_000)

    with platform.admin() as admin:
        replay = run_replay(admin, symbols=["SIM-RANGE"], minutes=240, seed=7)
        expect(figure(page, "Equity")).not_to_have_text("100,000.00", timeout=30_000)
        await_end(admin, replay)
        books = portfolio(admin, account)
        executions = admin.get(f"/accounts/{account}/executions?mode=paper&limit=1000")
    # All of it has arrived, and what is on the screen is what the books say.
    expect(page.locator(".chart-canvas")).to_have_attribute("data-candles", "240")
    for name, value in (("Equity", books["equity"]), ("Cash", books["cash"])):
        expect(figure(page, name)).to_have_text(f"{Decimal(value):,.2f}")
    page.get_by_role("tab", name="Executions").click()
    count = len(executions.raise_for_status().json()["items"])
    assert count > 0
    expect(page.locator("tbody tr")).to_have_count(min(count, 100))
    expect(page.locator("tbody tr").first).to_contain_text("SIM-RANGE")
    page.get_by_role("tab", name="Positions").click()
    held = [position for position in books["positions"] if Decimal(position["qty"])]
    expect(page.locator("tbody tr")).to_have_count(len(held))
    page.get_by_role("tab", name="Orders").click()
    page.get_by_text("All recent").click()
    expect(page.locator("tbody .status.filled").first).to_be_visible()

    page.get_by_role("tab", name="Strategies").click()
    page.get_by_role("button", name="Stop sma_crossover").click()
    expect(page.locator("td .status.stopped")).to_be_visible(timeout=20_000)


def test_scrolling_back_brings_candles_from_before_the_last_500(
    page: Page, platform: Platform
) -> None:
    with platform.admin() as admin:
        days = {"start": "2026-02-02T00:00:00Z", "minutes": 700, "trades_per_minute": 2}
        await_end(admin, run_replay(admin, symbols=["SIM-SCROLL"], **days))
    register(page)
    choose_symbol(page, "SIM-SCROLL")
    chart = page.locator(".chart-canvas")
    expect(chart).to_have_attribute("data-candles", re.compile("^50[01]$"))
    chart.focus()
    for _ in range(60):
        chart.press("ArrowLeft")
    expect(chart).to_have_attribute("data-candles", "700")


def test_a_limit_order_waits_and_is_cancelled(page: Page) -> None:
    register(page)
    open_account(page)
    choose_symbol(page, "SPY")
    page.get_by_text("Limit", exact=True).click()
    page.get_by_label("Quantity").fill("2")
    page.get_by_label("Limit price").fill("1.50")
    page.get_by_role("button", name="Buy 2 SPY").click()
    page.get_by_role("tab", name="Orders").click()
    row = page.locator("tbody tr", has_text="Working")
    expect(row).to_contain_text("1.50")
    page.get_by_role("button", name="Cancel buy 2 SPY").click()
    expect(page.get_by_text("No working orders")).to_be_visible()


def test_a_refused_order_says_why_and_leaves_no_trace(page: Page, complaints: Complaints) -> None:
    complaints.expected.append("422")
    register(page)
    open_account(page, capital="100")
    choose_symbol(page, "SPY")
    page.get_by_text("Limit", exact=True).click()
    page.get_by_label("Quantity").fill("10")
    page.get_by_label("Limit price").fill("400")
    page.get_by_role("button", name="Buy 10 SPY").click()
    expect(page.locator(".ticket").get_by_role("alert")).to_contain_text(re.compile(r"\.$"))
    expect(figure(page, "Cash")).to_have_text("100.00")


def test_a_reload_keeps_the_session_and_signing_out_ends_it(page: Page) -> None:
    register(page)
    page.reload()
    page.get_by_role("heading", name="Open your first account").wait_for()
    assert "token" not in page.url
    page.get_by_label("Menu of").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("E-mail or username").wait_for()
    page.reload()
    expect(page.get_by_label("E-mail or username")).to_be_visible()


def test_a_lost_stream_is_shown_and_comes_back_by_itself(
    page: Page, platform: Platform, complaints: Complaints
) -> None:
    complaints.expected.append("WebSocket connection")
    register(page)
    open_account(page)
    expect(live(page)).to_be_visible()
    os.kill(platform.status()["members"]["websocket_service"]["pid"], signal.SIGKILL)
    expect(page.locator(".connection.waiting, .connection.connecting")).to_be_visible()
    expect(live(page)).to_be_visible(timeout=45_000)


def test_an_admin_runs_a_replay_from_the_page_and_cannot_trade(
    page: Page, platform: Platform
) -> None:
    sign_in(page, platform.admin_login, platform.admin_password)
    page.get_by_role("heading", name="Replay").wait_for()
    expect(page.locator("form.ticket")).to_have_count(0)
    page.get_by_label("Minutes").fill("30")
    page.get_by_label("Speed").select_option("max")
    page.get_by_role("button", name="Start replay").click()
    expect(page.locator(".runs li").first).to_contain_text("finished", timeout=45_000)


@pytest.mark.parametrize("page", [PHONE], indirect=True)
def test_a_phone_shows_one_view_at_a_time_without_scrolling_sideways(page: Page) -> None:
    register(page)
    open_account(page)
    for view, content in (("Chart", ".market"), ("Trade", ".side"), ("Books", ".books")):
        page.get_by_role("button", name=view, exact=True).click()
        expect(page.locator(content)).to_be_visible()
        assert page.locator(".workspace > :visible").count() == 1
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
