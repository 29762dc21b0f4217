"""A Docker engine by its HTTP API, as far as launchers speak it; it fails where it is told to."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Made:
    id: str
    name: str
    labels: dict[str, str]
    status: str = "created"
    signals: list[str] = field(default_factory=list)


@dataclass
class EngineDouble:
    url: str = ""
    containers: dict[str, Made] = field(default_factory=dict)
    #: Steps that it refuses: "start", "kill", "rename", "remove".
    failing: set[str] = field(default_factory=set)
    #: They heed nothing but SIGKILL.
    deaf: bool = False

    def answer(self, method: str, path: list[str], asked: dict[str, str], body: Any) -> Any:
        """Status, and what is said."""
        match method, path:
            case "POST", ["create"]:
                made = Made(f"{len(self.containers):064x}", asked["name"], body["Labels"])
                self.containers[made.id] = made
                return 201, {"Id": made.id, "Warnings": []}
            case "GET", ["json"]:
                labels = [one.split("=") for one in json.loads(asked["filters"])["label"]]
                mine = [
                    one
                    for one in self.containers.values()
                    if all(one.labels[name] == value for name, value in labels)
                ]
                return 200, [{"Id": one.id} for one in mine]
        known = self.containers.get(path[0])
        if known is None:
            return 404, {"message": "No such container"}
        step = "remove" if method == "DELETE" else path[1]
        if step in self.failing:
            return 500, {"message": f"no {step} today"}
        return self._do(known, step, asked)

    def _do(self, known: Made, step: str, asked: dict[str, str]) -> Any:
        match step:
            case "json":
                return 200, {
                    "Id": known.id,
                    "Name": f"/{known.name}",
                    "Created": known.id,
                    "State": {"Status": known.status},
                    "Config": {"Labels": known.labels},
                }
            case "start":
                known.status = "running"
            case "rename":
                known.name = asked["name"]
            case "kill":
                if known.status != "running":
                    return 409, {"message": "is not running"}
                known.signals.append(asked.get("signal", "SIGKILL"))
                if known.signals[-1] == "SIGKILL" or not self.deaf:
                    known.status = "exited"
            case "remove":
                if known.status == "running" and asked.get("force") != "True":
                    return 409, {"message": "is running"}
                del self.containers[known.id]
        return 204, None


@contextmanager
def engine_double() -> Iterator[EngineDouble]:
    double = EngineDouble()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            place = urlsplit(self.path)
            asked = {name: values[0] for name, values in parse_qs(place.query).items()}
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            path = place.path.split("/containers/")[1].split("/")
            status, said = double.answer(self.command, path, asked, body)
            told = b"" if said is None else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            if status != 204:
                self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - as the server calls them

        def log_message(self, *_: Any) -> None:
            return None

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        double.url = f"tcp://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield double
        finally:
            server.shutdown()
            thread.join()
