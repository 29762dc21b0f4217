"""A real platform and a real Chromium, one of each for all tests of the terminal."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.utils.tls import trusted_authorities
import httpx
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
BUILT = Path(__file__).parents[2] / "api_gateway" / "static" / "index.html"

_CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
#: Tells the page's console of every violation of the content security policy.
_REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`));
"""


@dataclass(frozen=True)
class Platform:
    url: str
    data: Path
    admin_login: str
    admin_password: str

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = json.loads(_tradectl("status", "--json", data=self.data))
        return status

    @contextmanager
    def admin(self) -> Iterator[httpx.Client]:
        """A client of the API, signed in as the admin."""
        with httpx.Client(base_url=f"{self.url}/api/v1", timeout=30, verify=trusted_authorities(), trust_env=False) as client:
            credentials = {"login": self.admin_login, "password": self.admin_password}
            answer = client.post("/auth/login", json=credentials).raise_for_status()
            client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
            yield client


def _tradectl(*words: str, data: Path) -> str:
    command = [sys.executable, "-m", "cli", *words, "--data-dir", str(data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    if done.returncode != 0:
        pytest.fail(f"tradectl {' '.join(words)}: {done.stderr or done.stdout}")
    return done.stdout


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    if not BUILT.is_file():
        pytest.skip("the web terminal isn't built (make web)")
    if not CHROMIUM.is_file():
        pytest.skip(f"there is no Chromium at {CHROMIUM}")
    data = Path(tempfile.mkdtemp(prefix="terminal-"))
    data.chmod(0o755)  # as root, Postgres runs as another user below it
    try:
        _tradectl("up", "--detach", data=data)
        lines = (data / "secrets.env").read_text().splitlines()
        secrets = dict(line.split("=", 1) for line in lines if "=" in line)
        platform = Platform("", data, secrets["ADMIN_EMAIL"], secrets["ADMIN_PASSWORD"])
        yield Platform(
            platform.status()["url"], data, platform.admin_login, platform.admin_password
        )
    finally:
        subprocess.run(
            [sys.executable, "-m", "cli", "down", "--data-dir", str(data)],
            capture_output=True,
            timeout=120,
            check=False,
        )
        shutil.rmtree(data, ignore_errors=True)


@pytest.fixture(scope="session")
def browser(platform: Platform) -> Iterator[Browser]:
    """After `platform`, so that without one no Chromium is started."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, headless=True, args=_CHROMIUM_ARGUMENTS
        )
        yield browser
        browser.close()


class Complaints:
    """What the page complained of. `expected` are parts of messages that a test provokes."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.expected: list[str] = []

    def on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.heard.append(f"{message.text} ({message.location['url']})")

    def unexpected(self) -> list[str]:
        return [text for text in self.heard if not any(part in text for part in self.expected)]


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


@pytest.fixture
def page(
    browser: Browser, platform: Platform, complaints: Complaints, request: pytest.FixtureRequest
) -> Iterator[Page]:
    """A tab of its own browser profile. At the end the page must not have complained."""
    context = browser.new_context(
        base_url=platform.url,
        **getattr(request, "param", {"viewport": {"width": 1440, "height": 900}}),
    )
    context.set_default_timeout(40_000)
    context.add_init_script(_REPORT_VIOLATIONS)
    page = context.new_page()
    page.on("console", complaints.on_console)
    page.on("pageerror", lambda error: complaints.heard.append(str(error)))
    yield page
    context.close()
    assert complaints.unexpected() == []
