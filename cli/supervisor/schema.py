"""Which schema revision the code wants, without importing the migration library (half a second)."""

import ast
from functools import cache
from pathlib import Path

from cli.supervisor.services import CHECKOUT

_VERSIONS = CHECKOUT / "shared" / "database" / "migrations" / "versions"


@cache
def _follows(versions: Path) -> dict[str, str | None]:
    """Revision → the one that it follows, as declared at the top of each migration."""
    follows: dict[str, str | None] = {}
    for path in sorted(versions.glob("*.py")):
        declared: dict[str, str | None] = {}
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
                continue
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            if isinstance(target, ast.Name) and target.id in ("revision", "down_revision"):
                declared[target.id] = ast.literal_eval(node.value)
        revision = declared.get("revision")
        if revision is not None:
            follows[revision] = declared.get("down_revision")
    return follows


def known_revisions(versions: Path = _VERSIONS) -> frozenset[str]:
    return frozenset(_follows(versions))


def head_revision(versions: Path = _VERSIONS) -> str:
    """The revision that no other follows."""
    follows = _follows(versions)
    heads = set(follows) - set(follows.values())
    (head,) = heads
    return head
