from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from api_gateway.dependencies import GatewayState
from api_gateway.system.reference import PAGE_CSP, reference_page
from api_gateway.system.schemas import ClientConfig
from api_gateway.system.websocket_url import websocket_url

router = APIRouter(tags=["system"])


@router.get("/config", operation_id="getConfig", summary="What a client must know first")
async def get_config(request: Request, gateway: GatewayState) -> ClientConfig:
    return ClientConfig(
        environment=gateway.settings.environment,
        websocket_url=websocket_url(request, gateway.settings),
    )


@router.get("/openapi.json", include_in_schema=False)
def get_openapi(request: Request) -> Response:
    return JSONResponse(request.app.openapi())


@router.get("/docs", include_in_schema=False)
def get_docs(request: Request) -> Response:
    return HTMLResponse(
        reference_page(request.app.openapi()), headers={"Content-Security-Policy": PAGE_CSP}
    )
