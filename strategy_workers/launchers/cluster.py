"""Workers as pods of a Kubernetes cluster, by the official client.

One pod for each worker, and no controller between: a Deployment or a StatefulSet chooses by itself
which of its pods ends, and makes another one for each that the launcher drains; a Job is a second
object to clean up, with an opinion of its own on what is to be tried again. Who counts is here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import msgspec
import structlog

from strategy_workers.launchers.launcher import LauncherError, Worker
from strategy_workers.launchers.pods import (
    Pod,
    PodList,
    PodTerms,
    Refusal,
    pod,
    selector,
    trouble_of,
    workers_of,
)

if TYPE_CHECKING:
    from kubernetes.client import ApiException

log = structlog.get_logger()

_T = TypeVar("_T")

_PAGE = 500
#: A list is read anew so often when the cluster has forgotten it half way.
_READS = 3
#: Longer than this no cluster is left alone, whatever it asks for.
_MOST_QUIET_S = 60.0


class Answer(Protocol):
    def read(self) -> bytes: ...


class PodsApi(Protocol):
    """Of the client's `CoreV1Api` what is used here, asked with `_preload_content=False`: its own
    models would refuse a pod for a field that nobody reads.
    """

    def list_namespaced_pod(self, namespace: str, **options: Any) -> Answer: ...
    def create_namespaced_pod(self, namespace: str, body: Any, **options: Any) -> Answer: ...
    def delete_namespaced_pod(self, name: str, namespace: str, **options: Any) -> Answer: ...


def connect(kubeconfig: Path | None) -> PodsApi:
    """By the current context of `kubeconfig`; without one, as the service account of the pod that
    this runs in. Raises LauncherError, without having asked the cluster anything.
    """
    import yaml
    from kubernetes import config
    from kubernetes.client import ApiClient, Configuration, CoreV1Api

    settings = Configuration()
    try:
        if kubeconfig is None:
            config.load_incluster_config(settings)
        elif not kubeconfig.is_file():
            raise LauncherError(f"WORKER_KUBECONFIG: there is no file {kubeconfig}")
        else:
            config.load_kube_config(
                str(kubeconfig), client_configuration=settings, persist_config=False
            )
    except (config.ConfigException, OSError) as error:
        if kubeconfig is None:
            raise LauncherError(
                f"This is no pod of a cluster ({error}): set WORKER_KUBECONFIG"
            ) from error
        raise LauncherError(f"WORKER_KUBECONFIG: {_one_line(str(error))}") from error
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise LauncherError(f"WORKER_KUBECONFIG: {kubeconfig} is no kubeconfig") from error
    # What failed is tried in the next look; the client would wait as long as `Retry-After` says.
    settings.retries = False
    return cast("PodsApi", CoreV1Api(ApiClient(settings)))


class KubernetesLauncher:
    def __init__(
        self,
        api: PodsApi,
        namespace: str,
        owner: str,
        terms: PodTerms,
        *,
        patience_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`owner` tells its pods from those of others in the same namespace."""
        self._api = api
        self._namespace = namespace
        self._owner = owner
        self._terms = terms
        self._patience_s = patience_s
        self._clock = clock
        #: The cluster has asked not to be asked before.
        self._quiet_until = 0.0
        #: By the pod's uid, what the log has been told.
        self._troubles: dict[str, str] = {}

    def workers(self) -> list[Worker]:
        pods = self._pods()
        self._tell_troubles(pods)
        return workers_of(pods)

    def start(self, name: str) -> None:
        # `Strict`: a field that the cluster doesn't know is refused, where it would be left out.
        with self._asked():
            self._api.create_namespaced_pod(
                self._namespace,
                pod(name, self._owner, self._terms),
                field_validation="Strict",
                _preload_content=False,
                _request_timeout=self._patience_s,
            ).read()

    def drain(self, worker: Worker) -> None:
        """SIGTERM, and after the time to end SIGKILL: the pod's own, whatever happens here."""
        self._delete(worker)

    def remove(self, worker: Worker) -> None:
        self._delete(worker)

    def _delete(self, worker: Worker) -> None:
        # Another pod may have its name by now; 409 then. One that is gone already is what we want.
        with self._asked(gone_is_fine=True):
            self._api.delete_namespaced_pod(
                worker.name,
                self._namespace,
                body={"preconditions": {"uid": worker.id}},
                _preload_content=False,
                _request_timeout=self._patience_s,
            ).read()

    def _pods(self) -> list[Pod]:
        for _ in range(_READS):
            found: list[Pod] = []
            page = self._page(None)
            while page is not None:
                found += page.items or []
                if not page.metadata.continue_:
                    return found
                page = self._page(page.metadata.continue_)
        raise LauncherError("The cluster forgets its list of pods while it is read")

    def _page(self, after: str | None) -> PodList | None:
        """None: the list that `after` belongs to is not known any more.

        Without a `resourceVersion`: what was just created is in it.
        """
        from kubernetes.client import ApiException

        with self._asked():
            try:
                answer = self._api.list_namespaced_pod(
                    self._namespace,
                    label_selector=selector(self._owner),
                    limit=_PAGE,
                    _continue=after,
                    _preload_content=False,
                    _request_timeout=self._patience_s,
                ).read()
            except ApiException as error:
                if error.status == 410 and after is not None:
                    return None
                raise
        return _decoded(answer, PodList)

    def _tell_troubles(self, pods: list[Pod]) -> None:
        now = datetime.now(UTC)
        known, self._troubles = self._troubles, {}
        for one in pods:
            trouble = trouble_of(one, now)
            if trouble is None:
                continue
            self._troubles[one.metadata.uid] = trouble
            if known.get(one.metadata.uid) != trouble:
                log.warning("worker_in_trouble", worker=one.metadata.name, reason=trouble[:500])

    @contextmanager
    def _asked(self, *, gone_is_fine: bool = False) -> Iterator[None]:
        """What the client raises, as LauncherError."""
        from kubernetes.client import ApiException
        from kubernetes.config import ConfigException
        from urllib3.exceptions import HTTPError

        left_s = self._quiet_until - self._clock()
        if left_s > 0:
            raise LauncherError(f"The cluster is busy, and asks to wait for {left_s:.0f} s")
        try:
            yield
        except ApiException as error:
            if error.status == 404 and gone_is_fine and _refusal(error).reason == "NotFound":
                return
            if not error.status:  # How the client tells that TLS has failed.
                told = _one_line(str(error.reason))
                raise LauncherError(f"The cluster can't be trusted: {told}") from error
            if error.status == 429:
                self._quiet_until = self._clock() + _quiet_s(error)
            raise LauncherError(f"The cluster refuses ({error.status}): {_why(error)}") from error
        except (ConfigException, HTTPError, OSError) as error:
            told = _one_line(str(error))
            raise LauncherError(f"The cluster doesn't answer: {told}") from error


def _why(error: ApiException) -> str:
    if error.status == 401:
        return "it doesn't know who asks; are the credentials still good?"
    return _one_line(_refusal(error).message or str(error.reason))


def _refusal(error: ApiException) -> Refusal:
    try:
        return msgspec.json.decode(error.body or "", type=Refusal)
    except msgspec.MsgspecError:
        return Refusal()  # A proxy's page, say, or a wrong address.


def _quiet_s(error: ApiException) -> float:
    asked = str((error.headers or {}).get("Retry-After", ""))
    return min(float(asked), _MOST_QUIET_S) if asked.isdecimal() else 1.0


def _decoded(body: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise LauncherError(f"What answers is no Kubernetes API: {error}") from error


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
