"""What every HTTP service is built on: problems, request ids, health, metrics, a clean end."""

import gc
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shared.config import Settings
from shared.service.health import Check, check_readiness
from shared.service.logs import configure_logs
from shared.service.problems import install_problem_handlers
from shared.service.request_context import RequestContext

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

MAX_BODY_BYTES = 1 << 20


def service_app(
    title: str,
    lifespan: Lifespan,
    *,
    max_body_bytes: int = MAX_BODY_BYTES,
    unbounded_paths: frozenset[str] = frozenset(),
    public_docs: bool = False,
) -> FastAPI:
    """A FastAPI application with the platform's edges.

    The lifespan sets `app.state.readiness`, a mapping of dependency name to check.
    """
    app = FastAPI(
        title=title,
        lifespan=lifespan,
        openapi_url="/openapi.json" if public_docs else None,
        docs_url="/docs" if public_docs else None,
        redoc_url=None,
    )
    install_problem_handlers(app)
    app.add_middleware(
        RequestContext, max_body_bytes=max_body_bytes, unbounded_paths=unbounded_paths
    )

    @app.get("/health/live", include_in_schema=False)
    async def live() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/health/ready", include_in_schema=False)
    async def ready(request: Request) -> JSONResponse:
        checks: Mapping[str, Check] = request.app.state.readiness
        readiness = await check_readiness(checks)
        return JSONResponse(
            {
                "status": "ok" if readiness.ready else "not_ready",
                "dependencies": dict(readiness.dependencies),
            },
            status_code=200 if readiness.ready else 503,
        )

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return app


def run_service(name: str, app: FastAPI, settings: Settings, port: int) -> None:
    """Serve until SIGTERM or SIGINT; then finish what is under way, within the drain time."""
    configure_logs(name, settings.log_detail)
    _calm_the_collector()
    uvicorn.run(
        app,
        host=settings.bind_host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        loop="uvloop",
        http="httptools",
        ws="none",
        timeout_graceful_shutdown=max(1, round(settings.drain_timeout_s)),
    )


def _calm_the_collector() -> None:
    """What is there by now stays. Messages come by the ten thousand and die by themselves, in no
    cycle: to look for cycles after every 700 of them finds nothing."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
