"""A worker as a pod: how one is described, and what the cluster tells of those there are. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from strategy_workers.launchers.launcher import Worker

_PORT = 8005
#: The image's user, by number: `runAsNonRoot` can't be checked by a name.
_USER = 10001
#: After its drain time a worker gives back its leases; then it is killed.
_END_WITHIN_S = 15
#: An image is pulled and a place found in this time, or the log tells what is in the way.
_BEGIN_WITHIN_S = 60


@dataclass(frozen=True)
class PodTerms:
    image: str
    #: Name of the Secret whose key `.env` is the workers' settings file.
    secret: str
    memory_mib: int = 2048
    cpus: float = 1.0
    drain_timeout_s: float = 10.0
    log_level: str = "INFO"
    environment: str = "production"


def labels(owner: str) -> dict[str, str]:
    return {"trading.launcher": owner, "trading.role": "strategy-worker"}


def selector(owner: str) -> str:
    return ",".join(f"{key}={value}" for key, value in labels(owner).items())


def pod(name: str, owner: str, terms: PodTerms) -> dict[str, Any]:
    """As the API takes it."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": {**labels(owner), "app.kubernetes.io/managed-by": "trading-launcher"},
            # No controller that the autoscaler knows makes another one. The launcher does.
            "annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "true"},
        },
        "spec": {
            "containers": [_container(terms)],
            # The launcher counts those that have ended, and replaces them.
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": math.ceil(terms.drain_timeout_s) + _END_WITHIN_S,
            "automountServiceAccountToken": False,
            # A Service named `strategy-workers` would set STRATEGY_WORKERS_PORT to a URL.
            "enableServiceLinks": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": _USER,
                "runAsGroup": _USER,
                "fsGroup": _USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            # One node that is lost shall not take all of them with it.
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": labels(owner)},
                }
            ],
            "volumes": [
                {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
                {"name": "settings", "secret": {"secretName": terms.secret, "defaultMode": 0o440}},
            ],
        },
    }


def _container(terms: PodTerms) -> dict[str, Any]:
    most = {"memory": f"{terms.memory_mib}Mi", "cpu": f"{math.ceil(terms.cpus * 1000)}m"}
    # They go before the settings file, so that the probes and the time to end fit.
    environment = {
        "ENVIRONMENT": terms.environment,
        "LOG_LEVEL": terms.log_level,
        "BIND_HOST": "0.0.0.0",  # noqa: S104 - the pod's own; the kubelet asks there
        "STRATEGY_WORKERS_PORT": str(_PORT),
        "DRAIN_TIMEOUT_S": str(terms.drain_timeout_s),
    }
    return {
        "name": "worker",
        "image": terms.image,
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "ports": [{"name": "http", "containerPort": _PORT}],
        "resources": {"requests": most, "limits": most},
        "securityContext": {
            "privileged": False,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the container's own
            {
                "name": "settings",
                "mountPath": "/app/.env",
                "subPath": ".env",
                "readOnly": True,
            },
        ],
        "startupProbe": _probe("/health/live", period_s=2, failures=60),
        # It asks for no dependency: a database that is away must not end the workers.
        "livenessProbe": _probe("/health/live", period_s=10, failures=6),
        "readinessProbe": _probe("/health/ready", period_s=10, failures=3),
    }


def _probe(path: str, *, period_s: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": period_s,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }


# --- what the cluster tells ----------------------------------------------------------------------


class _Told(msgspec.Struct, rename="camel", frozen=True):
    """Of what the API answers, the part that is read; the rest may change with its version."""


class Metadata(_Told, frozen=True):
    name: str
    uid: str
    creation_timestamp: datetime
    deletion_timestamp: datetime | None = None


class Reason(_Told, frozen=True):
    reason: str | None = None
    message: str | None = None
    exit_code: int | None = None


class State(_Told, frozen=True):
    waiting: Reason | None = None
    terminated: Reason | None = None


class ContainerStatus(_Told, frozen=True):
    state: State = State()


class Condition(_Told, frozen=True):
    type: str
    status: str
    reason: str | None = None
    message: str | None = None


class Status(_Told, frozen=True):
    phase: str = "Pending"
    reason: str | None = None
    message: str | None = None
    conditions: list[Condition] | None = None
    container_statuses: list[ContainerStatus] | None = None


class Pod(_Told, frozen=True):
    metadata: Metadata
    status: Status = Status()


class Page(_Told, frozen=True):
    #: Of the list: where the next page begins, nothing after the last.
    continue_: str | None = msgspec.field(default=None, name="continue")


class PodList(_Told, frozen=True):
    metadata: Page
    #: Go writes an empty list as null, now and then.
    items: list[Pod] | None


class Refusal(_Told, frozen=True):
    """The `Status` that the API answers with when it does not do what is asked."""

    reason: str | None = None
    message: str | None = None


def has_ended(one: Pod) -> bool:
    return one.status.phase in ("Succeeded", "Failed")


def workers_of(pods: Sequence[Pod]) -> list[Worker]:
    """In the order of their start, without those that are on their way out."""
    stay = [one for one in pods if one.metadata.deletion_timestamp is None]
    stay.sort(key=lambda one: (one.metadata.creation_timestamp, one.metadata.name))
    return [Worker(one.metadata.uid, one.metadata.name, not has_ended(one)) for one in stay]


def trouble_of(one: Pod, now: datetime) -> str | None:
    """Why it has ended, or why it does not begin, as far as the cluster tells."""
    if one.metadata.deletion_timestamp is not None:
        return None
    states = [status.state for status in one.status.container_statuses or []]
    if has_ended(one):
        ends = [state.terminated for state in states if state.terminated is not None]
        told = [_text(one.status.reason, one.status.message)]
        told += [_text(end.reason, end.message, f"exit code {end.exit_code}") for end in ends]
        return "; ".join(part for part in told if part) or one.status.phase
    age_s = (now - one.metadata.creation_timestamp).total_seconds()
    if one.status.phase != "Pending" or age_s < _BEGIN_WITHIN_S:
        return None
    waits = [state.waiting for state in states if state.waiting is not None]
    unmet = [
        each
        for each in one.status.conditions or []
        if each.type == "PodScheduled" and each.status != "True"
    ]
    told = [_text(each.reason, each.message) for each in unmet]
    told += [_text(each.reason, each.message) for each in waits]
    return "; ".join(part for part in told if part) or "it has not begun"


def _text(*parts: str | None) -> str:
    return ": ".join(part for part in parts if part)
