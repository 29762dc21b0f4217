"""HTTP edge of uploaded files."""

import re
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse

from market_data_engine.market_files.actions import MarketFiles
from market_data_engine.market_files.receiving import FileTooLargeError
from market_data_engine.market_files.schemas import MarketFile, MarketFileList
from shared.market_files.lines import MarketFileError
from shared.service.problems import Problem, not_found

#: Bodies below it are bounded by this feature, not by the application.
UPLOADS = "/internal/market-files/"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def market_file_routes(files: MarketFiles) -> APIRouter:
    router = APIRouter(prefix="/internal/market-files")

    @router.put("/{name}")
    async def put(name: str, request: Request, response: Response) -> MarketFile:
        check_name(name)
        try:
            file, new = await files.put(name, request.stream())
        except FileTooLargeError as error:
            raise Problem(413, "body_too_large", str(error)) from None
        except MarketFileError as error:
            raise Problem(422, "invalid_market_file", str(error)) from None
        response.status_code = 201 if new else 200
        return file

    @router.get("")
    def newest(
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        cursor: UUID | None = None,
    ) -> MarketFileList:
        return files.newest(cursor, limit)

    @router.get("/{file_id}/content")
    def content(file_id: UUID) -> Response:
        """As it was uploaded."""
        found = files.find_all([file_id]).get(file_id)
        path = None if found is None else files.path(found.sha256)
        if path is None or not path.is_file():
            raise not_found("market file")
        return FileResponse(path, media_type="application/octet-stream")

    return router


def check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise Problem(
            422,
            "invalid_name",
            "A file's name is 1 to 128 letters, digits and ._-, a letter or digit first.",
        )
