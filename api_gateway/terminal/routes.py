"""Serves the built web terminal. Paths of its pages all answer `index.html`; it routes itself."""

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

from api_gateway.settings import GatewaySettings
from api_gateway.system.websocket_url import websocket_origin
from shared.service.problems import Problem

STATIC = Path(__file__).parent.parent / "static"

#: Below these there are no pages: an unknown path is an error, not a page.
_NOT_PAGES = ("api/", "health/", "metrics", "internal/")
#: Built files under here have their content's hash in their names.
_HASHED = "assets/"

_NOT_BUILT = """<!doctype html><html lang=en><meta charset=utf-8><title>Not built</title>
<h1>The web terminal isn't built</h1>
<p>Build it with <code>make web</code>, then load this page again.
The API works without it: see <a href=/api/v1/docs>its reference</a>.
"""


def terminal_router(settings: GatewaySettings, static: Path = STATIC) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    root = static.resolve()

    @router.api_route("/{path:path}", methods=["GET", "HEAD"])
    def terminal(path: str, request: Request) -> Response:
        if path.startswith(_NOT_PAGES) or path in ("api", "health", "internal"):
            raise Problem(404, "not_found", "There is nothing at this address.")
        file = _file(root, path)
        if file is not None:
            return FileResponse(file, headers=_headers(path, request, settings))
        if "." in path.rsplit("/", 1)[-1]:
            raise Problem(404, "not_found", "There is no such file.")
        index = root / "index.html"
        if not index.is_file():
            return HTMLResponse(_NOT_BUILT, status_code=404)
        return FileResponse(index, headers=_headers("index.html", request, settings))

    return router


def _file(root: Path, path: str) -> Path | None:
    """A built file, never anything outside of `root`."""
    if not path or "\x00" in path:
        return None
    try:
        file = (root / path).resolve()
        return file if file.is_relative_to(root) and file.is_file() else None
    except OSError:  # a name too long for the file system
        return None


def _headers(path: str, request: Request, settings: GatewaySettings) -> dict[str, str]:
    hashed = path.startswith(_HASHED)
    return {
        "Cache-Control": "public, max-age=31536000, immutable" if hashed else "no-cache",
        "Content-Security-Policy": content_security_policy(websocket_origin(request, settings)),
    }


def content_security_policy(websocket: str) -> str:
    """Only our own scripts run, and they only talk to us. Styles are our own files, too."""
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data: blob:",
            "font-src 'self'",
            f"connect-src 'self' {websocket}",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ]
    )
