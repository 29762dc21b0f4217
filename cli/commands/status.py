import json
from typing import Any

from cli.commands.options import DataDir, Json, data_folder
from cli.errors import NotRunningError
from cli.supervisor.folder import read_json, running_supervisor


def status(data_dir: DataDir = None, *, as_json: Json = False) -> None:
    """Show the servers and services of a running platform."""
    folder = data_folder(data_dir)
    pid = running_supervisor(folder)
    state = read_json(folder.state)
    if pid is None or state is None or state["supervisor_pid"] != pid:
        raise NotRunningError(f"no platform runs in {folder.path}")
    members: dict[str, Any] = {
        name: member | {"memory_mb": _memory_mb(member["pid"])}
        for name, member in state["members"].items()
    }
    state = state | {
        "ready": all(member["state"] == "ready" for member in members.values()),
        "members": members,
    }
    if as_json:
        print(json.dumps(state))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("", "state", "port", "pid", "memory", "restarts"):
        table.add_column(title, justify="left" if title in ("", "state") else "right")
    for name, member in members.items():
        memory = "" if member["memory_mb"] is None else f"{member['memory_mb']} MB"
        values = [member["port"], member["pid"] or "", memory, member["restarts"] or ""]
        table.add_row(name, member["state"], *(str(value) for value in values))
    console = Console(highlight=False)
    console.print(f"{state['url']}  (data in {state['data']})", markup=False)
    console.print(table)


def _memory_mb(pid: int | None) -> int | None:
    """Proportional share of the process' own memory; None when it can't be read."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as lines:
            for line in lines:
                if line.startswith("Pss:"):
                    return round(int(line.split()[1]) / 1024)
    except OSError:
        return None
    return None
