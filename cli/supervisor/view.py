"""What `tradectl up` shows: a live table on a terminal, plain lines otherwise."""

from collections.abc import Sequence

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.supervisor.instance import Summary
from cli.supervisor.member import Member, MemberState

_STYLES = {
    MemberState.READY: "green",
    MemberState.UNREADY: "yellow",
    MemberState.STARTING: "cyan",
    MemberState.RESTARTING: "red",
}


def summary_lines(summary: Summary) -> list[str]:
    if summary.admin_password:
        password = f"{summary.admin_password}  (shown once; it stays in {summary.secrets})"
    elif summary.password_is_generated:
        password = f"in {summary.secrets}"
    else:
        password = "as set by ADMIN_PASSWORD"  # noqa: S105 - says where, not what
    lines = [
        f"Ready in {summary.start_s:.1f} s.",
        f"  terminal and API  {summary.url}",
        f"  first admin       {summary.admin_email}",
        f"  password          {password}",
        f"  data              {summary.data}",
        f"  logs              {summary.logs}/<service>.log, or: tradectl logs <service>",
    ]
    if summary.postgres_elsewhere:
        lines.append(f"  Postgres' data    {summary.postgres_elsewhere}")
    return lines


class BackgroundView:
    """One line for each change, for a log: it says nothing secret."""

    def __init__(self) -> None:
        self._shown: dict[str, tuple[MemberState, int]] = {}

    def members(self, members: Sequence[Member]) -> None:
        for member in members:
            now = (member.state, member.restarts)
            if self._shown.get(member.name, (MemberState.WAITING, 0)) != now:
                self._shown[member.name] = now
                why = f" ({member.last_end})" if member.state is MemberState.RESTARTING else ""
                print(f"{member.name}: {member.state}{why}", flush=True)

    def ready(self, summary: Summary) -> None:
        print(f"ready in {summary.start_s:.1f} s: {summary.url}", flush=True)


class PlainView(BackgroundView):
    """The same for pipes, with all that the user must know."""

    def ready(self, summary: Summary) -> None:
        print("\n".join(summary_lines(summary)), flush=True)


class TableView:
    """A table that stays in place; the summary stands above it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False)

    def __enter__(self) -> "TableView":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def members(self, members: Sequence[Member]) -> None:
        self._live.update(members_table(members), refresh=True)

    def ready(self, summary: Summary) -> None:
        lines = [*summary_lines(summary), "Ctrl-C stops everything.", ""]
        self._console.print(Text("\n".join(lines)), soft_wrap=True)


def members_table(members: Sequence[Member]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("", "state", "port", "pid", "restarts"):
        table.add_column(title, justify="right" if title in ("port", "pid", "restarts") else "left")
    for member in members:
        state = str(member.state)
        if member.state is MemberState.RESTARTING:
            state += f" ({member.last_end})"
        style = _STYLES.get(member.state, "dim")
        restarts = str(member.restarts) if member.restarts else ""
        table.add_row(
            member.name, Text(state, style), str(member.port), str(member.pid or ""), restarts
        )
    return table
