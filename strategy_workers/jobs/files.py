from uuid import UUID

import msgspec


class JobFile(msgspec.Struct, frozen=True):
    """A market file that the engine keeps."""

    id: UUID
    name: str
    sha256: str
