"""A server that speaks Kubernetes' API of pods, as far as a launcher of workers asks."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml

TOKEN = "the-token-of-the-test"
NAMESPACE = "trading"
_BEGAN = datetime(2026, 1, 5, tzinfo=UTC)

Answer = tuple[int, Any]


def failure(code: int, reason: str, message: str) -> Answer:
    return code, {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }


@dataclass
class Cluster:
    """Holds pods by name. Set the fields to make it behave badly."""

    url: str = ""
    pods: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: (method, path, query, body) of all that was asked.
    asked: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list)
    #: Instead of an answer; a body that is a string goes out as it is.
    answer_with: Answer | None = None
    retry_after: str | None = None
    pods_a_page: int = 500
    #: So many tokens of further pages are too old.
    forgets: int = 0
    #: Nothing is answered until it is set.
    answers: threading.Event = field(default_factory=threading.Event)
    _made: int = 0

    def end(self, name: str, reason: str = "OOMKilled", exit_code: int = 137) -> None:
        ended = {"terminated": {"exitCode": exit_code, "reason": reason}}
        self.pods[name]["status"] = {"phase": "Failed", "containerStatuses": [{"state": ended}]}

    def reap(self) -> None:
        """The kubelet's part: what was asked to end has ended."""
        for name, pod in list(self.pods.items()):
            if "deletionTimestamp" in pod["metadata"]:
                del self.pods[name]

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answer:
        self.asked.append((method, path, query, body))
        if self.answer_with is not None:
            return self.answer_with
        match (method, path.strip("/").split("/")):
            case "GET", ["api", "v1", "namespaces", _, "pods"]:
                return self._list(query)
            case "POST", ["api", "v1", "namespaces", namespace, "pods"]:
                return self._create(namespace, body)
            case "DELETE", ["api", "v1", "namespaces", _, "pods", name]:
                return self._delete(name, body)
        return failure(404, "NotFound", "the server could not find the requested resource")

    def _list(self, query: dict[str, str]) -> Answer:
        wanted = dict(pair.split("=") for pair in query["labelSelector"].split(","))
        found = [
            pod for pod in self.pods.values() if wanted.items() <= pod["metadata"]["labels"].items()
        ]
        begin = int(query.get("continue", "0"))
        if begin and self.forgets:
            self.forgets -= 1
            return failure(410, "Expired", "The provided continue parameter is too old")
        end = begin + min(self.pods_a_page, int(query["limit"]))
        more = {"continue": str(end)} if end < len(found) else {}
        metadata = {"resourceVersion": "7", **more}
        items = found[begin:end] or None
        return 200, {"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": items}

    def _create(self, namespace: str, body: Any) -> Answer:
        if namespace != NAMESPACE:
            return failure(404, "NotFound", f'namespaces "{namespace}" not found')
        name = body["metadata"]["name"]
        if name in self.pods:
            return failure(409, "AlreadyExists", f'pods "{name}" already exists')
        self._made += 1
        began = (_BEGAN + timedelta(seconds=self._made)).isoformat().replace("+00:00", "Z")
        own = {"namespace": namespace, "uid": f"uid-{self._made}", "creationTimestamp": began}
        self.pods[name] = {
            **body,
            "metadata": {**body["metadata"], **own},
            "status": {"phase": "Running", "qosClass": "Guaranteed"},
        }
        return 201, self.pods[name]

    def _delete(self, name: str, body: Any) -> Answer:
        pod = self.pods.get(name)
        if pod is None:
            return failure(404, "NotFound", f'pods "{name}" not found')
        if body["preconditions"]["uid"] != pod["metadata"]["uid"]:
            return failure(409, "Conflict", "Precondition failed: UID in precondition")
        if pod["status"]["phase"] == "Failed":
            del self.pods[name]
        else:
            pod["metadata"]["deletionTimestamp"] = "2026-01-05T01:00:00Z"
        return 200, pod


@contextmanager
def cluster_server() -> Iterator[Cluster]:
    cluster = Cluster()
    cluster.answers.set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            address = urlsplit(self.path)
            cluster.answers.wait(30)
            status, told = (
                cluster.answer(
                    self.command,
                    address.path,
                    dict(parse_qsl(address.query)),
                    json.loads(body) if body else None,
                )
                if self.headers.get("Authorization") == f"Bearer {TOKEN}"
                else failure(401, "Unauthorized", "Unauthorized")
            )
            sent = (told if isinstance(told, str) else json.dumps(told)).encode()
            self.send_response(status)
            if cluster.retry_after is not None:
                self.send_header("Retry-After", cluster.retry_after)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_DELETE = _serve  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    cluster.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield cluster
    finally:
        cluster.answers.set()
        server.shutdown()
        server.server_close()
        thread.join()


def kubeconfig(folder: Path, url: str, token: str = TOKEN, **cluster: str) -> Path:
    path = folder / "kubeconfig"
    said = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "one", "user": "launcher"}}],
        "clusters": [{"name": "one", "cluster": {"server": url, **cluster}}],
        "users": [{"name": "launcher", "user": {"token": token}}],
    }
    path.write_text(yaml.safe_dump(said))
    return path
