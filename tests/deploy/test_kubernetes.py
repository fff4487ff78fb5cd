"""The manifests of `deploy kubernetes` are accepted by Kubernetes, and agree with the configuration.

`kubernetes.json` has the schemas, reduced to the fields that the manifests use; it refuses all other fields.
"""

from __future__ import annotations

import copy
import json
import re
import shlex
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from share_actors.cli.deploy.kubernetes.manifests import Values, render
from share_actors.config import load
from share_actors.config.settings import known_variables
from share_actors.errors import ConfigError, InvalidRequest
from tests.cli_home import error_of, home, run

__all__ = ["home"]

SCHEMAS: dict[str, Any] = json.loads(Path(__file__).with_name("kubernetes.json").read_text())
SITE = """# 'site' \\ "of" $HOME: ---
[log]
kind = "postgresql"
host = "share-actors-db-rw"

[backends.projects]
driver = "local"
node = "Projects & more"
options = { root = "/shares" }

[backends.tape]
driver = "dummy"
node = "tape-library"

[backends.disk]
driver = "btrfs-servers"
node = "tape-library"
options = { root = "/srv/disk" }

[backends.remote]
driver = "dummy"
"""
VALUES = Values("registry.example/share-actors:1", "site", "redis.site:6379", "db-app")
KNOWN_SECRETS = {"site", "site-config", "site-redis", "site-keys", "db-app"}
"""The token of KubeRay, the configuration, and those that the head of the manifests names."""
Object = dict[str, Any]


@pytest.fixture
def site(tmp_path: Path, home: Path) -> Path:
    (tmp_path / "site.toml").write_text(SITE)
    return tmp_path / "site.toml"


@pytest.fixture
def text(site: Path) -> str:
    return render(load(site), SITE, VALUES, version("ray"))


@pytest.fixture
def objects(text: str) -> dict[str, Object]:
    """The objects of the manifests, by kind."""
    found = list(yaml.safe_load_all(text))
    assert len({found_one["kind"] for found_one in found}) == len(found)
    return {found_one["kind"]: found_one for found_one in found}


def check(manifest: Object) -> None:
    jsonschema.Draft7Validator(SCHEMAS[manifest["kind"]]).validate(manifest)


def groups(objects: dict[str, Object]) -> dict[str, Object]:
    """The groups of workers, by name."""
    found = objects["RayCluster"]["spec"]["workerGroupSpecs"]
    return {group["groupName"]: group for group in found}


def found_under(value: object, key: str) -> Iterator[Any]:
    """All values of *key* in *value*, at any depth."""
    if isinstance(value, dict):
        yield from (found for name, found in value.items() if name == key)
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        yield from found_under(one, key)


def test_every_object_has_the_form_that_kubernetes_and_kuberay_accept(
    objects: dict[str, Object],
) -> None:
    assert set(objects) == {name for name in SCHEMAS if name != "$comment"}
    for manifest in objects.values():
        check(manifest)


def unknown(manifest: Object) -> None:
    manifest["spec"]["gcsFaultTolerance"] = {}


def number(manifest: Object) -> None:
    manifest["spec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] = 0


def no_containers(manifest: Object) -> None:
    del manifest["spec"]["headGroupSpec"]["template"]["spec"]["containers"]


def no_address(manifest: Object) -> None:
    del manifest["spec"]["gcsFaultToleranceOptions"]["redisAddress"]


def no_group_name(manifest: Object) -> None:
    del manifest["spec"]["workerGroupSpecs"][0]["groupName"]


@pytest.mark.parametrize("spoil", [unknown, number, no_containers, no_address, no_group_name])
def test_the_schema_refuses_a_cluster_that_the_operator_would_refuse(
    spoil: Callable[[Object], None], objects: dict[str, Object]
) -> None:
    spoil(spoilt := copy.deepcopy(objects["RayCluster"]))

    with pytest.raises(jsonschema.ValidationError):
        check(spoilt)


def test_the_configuration_arrives_as_it_is_in_the_file(objects: dict[str, Object]) -> None:
    assert objects["Secret"]["stringData"] == {"site.toml": SITE}
    [head] = objects["RayCluster"]["spec"]["headGroupSpec"]["template"]["spec"]["containers"]
    variables = {one["name"]: one.get("value") for one in head["env"]}
    mounts = {one["name"]: one["mountPath"] for one in head["volumeMounts"]}
    assert variables["SHARE_ACTORS_CONFIG"] == f"{mounts['config']}/site.toml"
    assert variables["SHARE_ACTORS_HOME"] == mounts["home"]
    assert variables["RAY_health_check_timeout_ms"] == "3000"  # of ray.node_silence_s = 20
    ours = {name for name in variables if name.startswith("SHARE_ACTORS_")}
    assert ours <= known_variables()


def test_each_resource_is_that_of_one_group_of_workers_in_the_command_that_kuberay_makes(
    objects: dict[str, Object],
) -> None:
    resources = {}
    for name, group in groups(objects).items():
        given = group["rayStartParams"].get("resources")
        command = shlex.split(f"ray start --resources={given}" if given else "ray start")
        resources[name] = json.loads(command[-1].partition("=")[2]) if given else {}

    assert resources == {
        "projects-more": {"Projects & more": 1},
        "tape-library": {"tape-library": 1},
        "shares": {},
    }


def test_a_group_has_the_rights_that_its_drivers_need_and_no_more(
    objects: dict[str, Object],
) -> None:
    def rights(group: Object) -> tuple[Any, Any, Any]:
        pod = group["template"]["spec"]
        [container] = pod["containers"]
        own = container["securityContext"]
        capabilities = own.get("capabilities", {}).get("add", [])
        return pod["securityContext"].get("runAsNonRoot"), own.get("privileged"), capabilities

    found = {name: rights(group) for name, group in groups(objects).items()}
    assert found == {
        "projects-more": (None, None, ["CHOWN", "DAC_OVERRIDE", "FOWNER"]),
        "tape-library": (None, True, []),
        "shares": (True, None, []),
    }


def test_all_pods_have_one_image_and_the_version_of_ray_that_is_installed(
    objects: dict[str, Object],
) -> None:
    assert set(found_under([*objects.values()], "image")) == {VALUES.image}
    assert objects["RayCluster"]["spec"]["rayVersion"] == version("ray")


def test_every_secret_that_is_used_is_made_or_named_at_the_top(
    objects: dict[str, Object], text: str
) -> None:
    used = {one["name"] for one in found_under([*objects.values()], "secretKeyRef")}
    used |= {one["secretName"] for one in found_under([*objects.values()], "secret")}

    assert used == KNOWN_SECRETS
    head = text.partition("apiVersion")[0]
    assert set(re.findall(r"^#   (\S+) ", head, re.MULTILINE)) == {
        "site-redis",
        "site-keys",
        "db-app",
    }


def test_the_job_starts_the_system_on_the_head_and_may_reach_it(
    objects: dict[str, Object],
) -> None:
    template = objects["Job"]["spec"]["template"]
    [container] = template["spec"]["containers"]
    rules = objects["NetworkPolicy"]["spec"]["ingress"]

    assert container["command"] == [
        *("ray", "job", "submit", "--address", "http://site-head-svc:8265"),
        *("--", "share-actors", "up"),
    ]
    selectors = [rule["from"][0]["podSelector"]["matchLabels"] for rule in rules]
    assert {"ray.io/cluster": "site"} in selectors
    assert any(selector.items() <= template["metadata"]["labels"].items() for selector in selectors)


def test_pods_of_the_cluster_are_evicted_one_by_one_and_reached_by_no_others(
    objects: dict[str, Object],
) -> None:
    label = {"matchLabels": {"ray.io/cluster": "site"}}

    assert objects["PodDisruptionBudget"]["spec"] == {"maxUnavailable": 1, "selector": label}
    policy = objects["NetworkPolicy"]["spec"]
    assert (policy["podSelector"], policy["policyTypes"]) == (label, ["Ingress"])


# -- refusals ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("image", "no image"),
        ("image", ""),
        ("name", "Site"),
        ("name", "a" * 41),
        ("name", "site-"),
        ("redis", "redis:port"),
        ("redis", 'redis"'),
        ("database_secret", "a b"),
    ],
)
def test_a_value_that_kubernetes_would_refuse_is_refused_by_name(
    field: str, value: str, site: Path
) -> None:
    with pytest.raises(InvalidRequest) as raised:
        render(load(site), SITE, VALUES._replace(**{field: value}), "2.60.0")

    assert (raised.value.field, raised.value.value) == (field, value)


@pytest.mark.parametrize("node", ["***", "x" * 50, "a$(id)", "a`id`", "a\\nb", "tape library"])
def test_a_resource_that_cannot_be_a_group_of_its_own_is_refused(node: str, site: Path) -> None:
    site.write_text(SITE.replace('"Projects & more"', f'"{node}"'))

    with pytest.raises(ConfigError) as raised:
        render(load(site), SITE, VALUES, "2.60.0")

    assert "node" in raised.value.message


def test_a_log_in_a_file_is_refused(site: Path) -> None:
    site.write_text(SITE.replace('"postgresql"', '"sqlite"'))

    ran = run("--json", "--config", str(site), "deploy", "kubernetes", "--image", "a")

    assert (ran.exit_code, error_of(ran)["field"]) == (4, "log.kind")


def test_the_command_prints_the_manifests_of_the_configuration_file(site: Path) -> None:
    image = ("deploy", "kubernetes", "--image", VALUES.image)
    ran = run("--config", str(site), *image)

    assert ran.exit_code == 0, ran.output
    assert [one["kind"] for one in yaml.safe_load_all(ran.stdout)][:2] == ["Secret", "RayCluster"]
    assert run("--json", "--config", str(site), *image).exit_code == 0
    without = run("--json", *image)
    assert (without.exit_code, error_of(without)["field"]) == (3, "config")
