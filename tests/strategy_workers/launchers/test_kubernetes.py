"""The official client, on a server that speaks its API; and Kubernetes' own schemas."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import kubernetes_validate
import msgspec
import pytest
import yaml

from shared.config import InvalidSettingsError
from strategy_workers.launchers.__main__ import launcher_of
from strategy_workers.launchers.cluster import KubernetesLauncher, connect
from strategy_workers.launchers.launcher import LauncherError, Worker
from strategy_workers.launchers.need import Bounds, Calm, Load
from strategy_workers.launchers.pods import Pod, PodTerms, pod, trouble_of
from strategy_workers.launchers.scaling import Scaling
from strategy_workers.settings import LauncherSettings
from tests.strategy_workers.launchers.cluster_double import (
    NAMESPACE,
    Cluster,
    cluster_server,
    failure,
    kubeconfig,
)
from tests.strategy_workers.launchers.test_launchers import until

TERMS = PodTerms("registry.example.com/workers:1", "trading-workers", cpus=0.0001)
MANIFEST = Path(__file__).parents[3] / "deploy/kubernetes/worker-launcher.yaml"


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with cluster_server() as running:
        yield running


def launcher_at(cluster: Cluster, folder: Path, owner: str = "mine", **rest: Any) -> Any:
    namespace = rest.pop("namespace", NAMESPACE)
    api = connect(kubeconfig(folder, cluster.url))
    return KubernetesLauncher(api, namespace, owner, TERMS, **rest)


@pytest.fixture
def launcher(cluster: Cluster, tmp_path: Path) -> KubernetesLauncher:
    made: KubernetesLauncher = launcher_at(cluster, tmp_path)
    return made


# --- what is asked for ---------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.29", kubernetes_validate.latest_version()])
def test_a_worker_is_a_pod_by_kubernetes_own_schema(version: str) -> None:
    kubernetes_validate.validate(pod("w", "mine", TERMS), version, strict=True)


def test_a_field_that_no_pod_has_is_refused_by_that_schema() -> None:
    wrong = pod("w", "mine", TERMS)
    wrong["spec"]["containers"][0]["memory"] = "1Gi"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, kubernetes_validate.latest_version(), strict=True)


def test_a_pod_has_limits_and_no_rights_and_names_its_secret_without_telling_it() -> None:
    spec = pod("w", "mine", PodTerms("image", "trading-workers", 512, 0.5, 20.0))["spec"]
    (container,) = spec["containers"]
    assert container["resources"]["limits"] == {"memory": "512Mi", "cpu": "500m"}
    assert container["securityContext"] == {
        "privileged": False,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not spec["automountServiceAccountToken"]
    assert spec["volumes"][1]["secret"]["secretName"] == "trading-workers"
    told = {one["name"]: one["value"] for one in container["env"]}
    assert set(told) == {
        "ENVIRONMENT",
        "LOG_LEVEL",
        "BIND_HOST",
        "STRATEGY_WORKERS_PORT",
        "DRAIN_TIMEOUT_S",
    }
    assert spec["terminationGracePeriodSeconds"] > float(told["DRAIN_TIMEOUT_S"])


def test_the_manifest_is_sound_and_its_role_allows_what_the_launcher_asks_and_no_more() -> None:
    parts = list(yaml.safe_load_all(MANIFEST.read_text()))
    for part in parts:
        kubernetes_validate.validate(part, kubernetes_validate.latest_version(), strict=True)
    (role,) = [part for part in parts if part["kind"] == "Role"]
    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "create", "delete"]}
    ]
    (env,) = [
        part["spec"]["template"]["spec"]["containers"][0]["env"]
        for part in parts
        if part["kind"] == "Deployment"
    ]
    LauncherSettings(**{one["name"].lower(): one["value"] for one in env})


# --- the life of pods ----------------------------------------------------------------------------


def test_pods_are_started_replaced_and_drained(
    cluster: Cluster, launcher: KubernetesLauncher
) -> None:
    load = Load(2, 0)
    scaling = Scaling(launcher, lambda: load, Bounds(0, 9, 1), Calm(0))
    assert scaling.look() == 2
    first, second = launcher.workers()
    cluster.end(first.name)
    assert [one.alive for one in launcher.workers()] == [False, True]
    assert scaling.look() == 2
    assert first.name not in cluster.pods
    third = launcher.workers()[1]
    load = Load(1, 0)
    assert scaling.look() == 1
    # It goes on until it has ended, and counts no more.
    assert list(launcher.workers()) == [second]
    assert third.name in cluster.pods
    cluster.reap()
    assert set(cluster.pods) == {second.name}


def test_the_api_gets_the_pod_as_it_is_described_and_refuses_fields_that_it_does_not_know(
    cluster: Cluster, launcher: KubernetesLauncher
) -> None:
    launcher.start("w1")
    ((_, _, query, body),) = cluster.asked
    assert body == pod("w1", "mine", TERMS)
    assert query == {"fieldValidation": "Strict"}


def test_the_next_launcher_goes_on_with_its_own_pods_and_leaves_others_alone(
    cluster: Cluster, launcher: KubernetesLauncher, tmp_path: Path
) -> None:
    launcher.start("w1")
    (known,) = launcher_at(cluster, tmp_path).workers()
    assert known.name == "w1"
    assert launcher_at(cluster, tmp_path, owner="other").workers() == []


def test_what_is_gone_already_needs_no_removal_and_a_namesake_is_left_alone(
    cluster: Cluster, launcher: KubernetesLauncher
) -> None:
    launcher.remove(Worker("uid-0", "w1", False))
    launcher.start("w1")
    with pytest.raises(LauncherError, match=r"\(409\): Precondition failed"):
        launcher.drain(Worker("uid-of-another", "w1", True))
    assert "deletionTimestamp" not in cluster.pods["w1"]["metadata"]


def test_a_list_of_many_pages_is_read_whole_and_anew_when_it_was_forgotten(
    cluster: Cluster, launcher: KubernetesLauncher
) -> None:
    for place in range(5):
        launcher.start(f"w{place}")
    cluster.pods_a_page = 2
    cluster.forgets = 2
    assert [one.name for one in launcher.workers()] == [f"w{place}" for place in range(5)]
    cluster.forgets = 9
    with pytest.raises(LauncherError, match="forgets"):
        launcher.workers()


# --- what goes wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (failure(401, "Unauthorized", "Unauthorized"), r"\(401\): it doesn't know who asks"),
        (failure(403, "Forbidden", "exceeded quota: most"), r"\(403\): exceeded quota: most"),
        (failure(404, "NotFound", 'namespaces "x" not found'), r'\(404\): namespaces "x" not'),
        (failure(409, "AlreadyExists", "already exists"), r"\(409\): already exists"),
        (failure(422, "Invalid", "Invalid value: \n'-1'"), r"\(422\): Invalid value: '-1'"),
        (failure(429, "TooManyRequests", "too many requests"), r"\(429\): too many requests"),
        (failure(500, "InternalError", "etcd: leader changed"), r"\(500\): etcd: leader changed"),
        ((502, "<html>Bad gateway</html>"), r"\(502\): Bad Gateway"),
        ((503, json.dumps({"message": 7})), r"\(503\): Service Unavailable"),
    ],
)
def test_a_refusal_is_told_in_one_line(
    cluster: Cluster, tmp_path: Path, answer: tuple[int, Any], told: str
) -> None:
    cluster.answer_with = answer
    calls = [
        lambda one: one.workers(),
        lambda one: one.start("w1"),
        lambda one: one.drain(Worker("uid", "w1", True)),
    ]
    for call in calls[: 2 if answer[0] == 404 else 3]:
        with pytest.raises(LauncherError, match=told) as raised:
            call(launcher_at(cluster, tmp_path))
        assert "\n" not in str(raised.value)


def test_a_proxy_that_finds_nothing_does_not_pass_for_a_pod_that_is_gone(
    cluster: Cluster, launcher: KubernetesLauncher
) -> None:
    cluster.answer_with = (404, "<html>nothing here</html>")
    with pytest.raises(LauncherError, match="404"):
        launcher.remove(Worker("uid", "w1", False))


def test_a_namespace_that_is_not_there_is_told(cluster: Cluster, tmp_path: Path) -> None:
    with pytest.raises(LauncherError, match='namespaces "nowhere" not found'):
        launcher_at(cluster, tmp_path, namespace="nowhere").start("w1")


def test_a_token_that_is_not_known_is_told(cluster: Cluster, tmp_path: Path) -> None:
    api = connect(kubeconfig(tmp_path, cluster.url, token="of another"))
    with pytest.raises(LauncherError, match="401"):
        KubernetesLauncher(api, NAMESPACE, "mine", TERMS).workers()


def test_a_certificate_that_is_none_is_told(cluster: Cluster, tmp_path: Path) -> None:
    url = cluster.url.replace("http:", "https:")
    path = kubeconfig(tmp_path, url, **{"certificate-authority-data": "aGVsbG8="})
    with pytest.raises(LauncherError, match="can't be trusted"):
        KubernetesLauncher(connect(path), NAMESPACE, "mine", TERMS).workers()


@pytest.mark.parametrize(("asks_for", "waits_s"), [("7", 7), ("99999", 60), ("soon", 1)])
def test_a_busy_cluster_is_left_alone_for_as_long_as_it_asks_within_a_minute(
    cluster: Cluster, tmp_path: Path, asks_for: str, waits_s: int
) -> None:
    now = 100.0
    launcher = launcher_at(cluster, tmp_path, clock=lambda: now)
    cluster.answer_with = failure(429, "TooManyRequests", "too many requests")
    cluster.retry_after = asks_for
    with pytest.raises(LauncherError, match="429"):
        launcher.workers()
    cluster.answer_with = None
    now += waits_s - 0.5
    with pytest.raises(LauncherError, match="busy"):
        launcher.start("w1")
    assert len(cluster.asked) == 1
    now += 0.5
    launcher.start("w1")
    assert "w1" in cluster.pods


def test_a_pod_that_was_made_although_its_answer_came_too_late_is_counted(
    cluster: Cluster, launcher: KubernetesLauncher, tmp_path: Path
) -> None:
    cluster.answers.clear()
    with pytest.raises(LauncherError, match=r"doesn't answer: .*timed out"):
        launcher_at(cluster, tmp_path, patience_s=0.1).start("w1")
    assert cluster.pods == {}
    cluster.answers.set()
    until(lambda: "w1" in cluster.pods, "the late pod")
    assert [one.name for one in launcher.workers()] == ["w1"]


def test_nobody_at_the_address_and_somebody_else_at_it_are_told(
    cluster: Cluster, launcher: KubernetesLauncher, tmp_path: Path
) -> None:
    for wrong in ("<html>hello</html>", {"items": []}, {"metadata": {}, "items": [{"x": 1}]}):
        cluster.answer_with = (200, wrong)
        with pytest.raises(LauncherError, match="no Kubernetes API"):
            launcher.workers()
    nobody = KubernetesLauncher(
        connect(kubeconfig(tmp_path, "http://127.0.0.1:1")), NAMESPACE, "mine", TERMS
    )
    with pytest.raises(LauncherError, match="doesn't answer"):
        nobody.workers()


WAITS = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
KILLED = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
UNPLACED = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/3 nodes",
}


@pytest.mark.parametrize(
    ("status", "age_s", "told"),
    [
        ({"phase": "Running"}, 900, None),
        ({"phase": "Pending", "containerStatuses": [{"state": WAITS}]}, 59, None),
        (
            {"phase": "Pending", "containerStatuses": [{"state": WAITS}]},
            60,
            "ImagePullBackOff: no such image",
        ),
        ({"phase": "Pending", "conditions": [UNPLACED]}, 60, "Unschedulable: 0/3 nodes"),
        ({"phase": "Pending"}, 60, "it has not begun"),
        (
            {"phase": "Failed", "containerStatuses": [{"state": KILLED}]},
            1,
            "OOMKilled: exit code 137",
        ),
        (
            {"phase": "Failed", "reason": "Evicted", "message": "low on memory"},
            1,
            "Evicted: low on memory",
        ),
        ({"phase": "Succeeded"}, 1, "Succeeded"),
    ],
)
def test_why_a_pod_has_ended_or_does_not_begin(
    status: dict[str, Any], age_s: int, told: str | None
) -> None:
    metadata = {"name": "w", "uid": "u", "creationTimestamp": "2026-01-05T00:00:00Z"}
    one = msgspec.convert({"metadata": metadata, "status": status}, Pod)
    now = datetime.fromtimestamp(datetime(2026, 1, 5, tzinfo=UTC).timestamp() + age_s, UTC)
    assert trouble_of(one, now) == told


# --- bad settings --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"worker_secret": None}, "WORKER_SECRET must name"),
        ({"worker_secret": ""}, "WORKER_SECRET must name"),
        ({"worker_secret": "Not_A_Name"}, "WORKER_SECRET: "),
        ({"worker_namespace": "Trading"}, "WORKER_NAMESPACE: "),
        ({"worker_namespace": "n" * 64}, "WORKER_NAMESPACE: "),
        ({"worker_owner": "ends-with-a-dot."}, "WORKER_OWNER: "),
        ({"worker_image": ""}, "WORKER_IMAGE: "),
        ({"worker_cpus": float("nan")}, "WORKER_CPUS: "),
        ({"worker_memory_mib": -1}, "WORKER_MEMORY_MIB: "),
        ({"worker_launcher": "nomad"}, "WORKER_LAUNCHER: "),
    ],
)
def test_a_bad_setting_is_named_at_start(changed: dict[str, Any], told: str) -> None:
    sound = {"worker_launcher": "kubernetes", "worker_secret": "trading-workers"}
    with pytest.raises(InvalidSettingsError, match=told):
        LauncherSettings(**(sound | changed))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "there is no file"),
        ("", "WORKER_KUBECONFIG: "),
        ("just words", "no kubeconfig"),
        ("[1, 2]", "no kubeconfig"),
        ("{a: [", "no kubeconfig"),
        ("apiVersion: v1\nkind: Config\ncurrent-context: nowhere\n", "WORKER_KUBECONFIG: "),
    ],
)
def test_a_bad_kubeconfig_is_told_in_a_sentence(
    tmp_path: Path, text: str | None, told: str
) -> None:
    path = tmp_path / "config"
    if text is not None:
        path.write_text(text)
    settings = LauncherSettings(
        worker_launcher="kubernetes", worker_secret="secret", worker_kubeconfig=path
    )
    with pytest.raises(LauncherError, match=told) as raised:
        launcher_of(settings)
    assert "\n" not in str(raised.value)


def test_outside_of_a_cluster_a_kubeconfig_is_asked_for() -> None:
    settings = LauncherSettings(worker_launcher="kubernetes", worker_secret="secret")
    with pytest.raises(LauncherError, match="set WORKER_KUBECONFIG"):
        launcher_of(settings)
