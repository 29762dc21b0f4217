from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request, Response

from strategy_workers.uploads.actions import Uploads
from strategy_workers.uploads.schemas import (
    DecisionRequest,
    UploadRequest,
    VersionList,
    VersionView,
)

router = APIRouter(prefix="/internal/strategies")

Version = Annotated[int, Path(ge=1, le=2**31 - 1)]


def uploads_of(request: Request) -> Uploads:
    uploads: Uploads = request.app.state.uploads
    return uploads


Actions = Annotated[Uploads, Depends(uploads_of)]


@router.post("", status_code=201)
def upload_strategy(body: UploadRequest, uploads: Actions, response: Response) -> VersionView:
    row, is_new = uploads.upload(body.author_id, body.file_name, body.content)
    if not is_new:
        response.status_code = 200
    return VersionView.of(row)


@router.get("/{name}/versions")
def list_versions(name: str, uploads: Actions, author_id: UUID | None = None) -> VersionList:
    """Of somebody else's strategy: 404. Without an author: whoever's it is."""
    return VersionList(items=[VersionView.of(row) for row in uploads.versions(name, author_id)])


@router.post("/{name}/versions/{version}/decision")
def decide_on_version(
    name: str, version: Version, body: DecisionRequest, uploads: Actions
) -> VersionView:
    return VersionView.of(uploads.decide(name, version, body.decision, body.by, body.reason))


@router.delete("/{name}/versions/{version}")
def remove_version(
    name: str, version: Version, by: UUID, uploads: Actions, author_id: UUID | None = None
) -> VersionView:
    return VersionView.of(uploads.remove(name, version, by, author_id))
