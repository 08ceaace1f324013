"""The compose file and the image run what exists. Without an engine here, they are only read."""

import ipaddress
import re
from urllib.parse import urlsplit

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands

from .test_settings import SETTINGS

BASE = settings.BASE_DIR
COMPOSE = yaml.safe_load((BASE / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if service.get("image") == "kubat"]
ONCE = [name for name, service in SERVICES.items() if service["restart"] == "no"]
LASTING = [name for name in SERVICES if name not in ONCE]
NGINX = "".join(each["content"] for each in COMPOSE["configs"].values())
DOCKERFILE = (BASE / "Dockerfile").read_text()


def test_each_role_is_run():
    roles = [SERVICES[name]["command"][2] for name in OURS]
    assert sorted(roles) == ["migrate", "proxy_keys", "serve", "worker"]


@pytest.mark.parametrize("name", OURS)
def test_a_service_of_ours_runs_a_command_that_exists(name):
    python, file, command, *_ = SERVICES[name]["command"]
    assert (python, (BASE / file).exists()) == ("python", True)
    assert command in get_commands()


@pytest.mark.parametrize("name", OURS)
def test_a_service_of_ours_sets_what_the_settings_read(name):
    assert set(SERVICES[name]["environment"]) <= set(SETTINGS)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_for_services_that_can_say_they_are_ready(name):
    for other, condition in SERVICES[name].get("depends_on", {}).items():
        if condition["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other]
        else:
            assert condition["condition"] == "service_completed_successfully"
            assert SERVICES[other]["restart"] == "no"


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL"])
def test_addresses_lead_to_services(name):
    url = re.sub(r"\$\{[^}]*\}", "password", SERVICES["worker"]["environment"][name])
    assert urlsplit(url).hostname in SERVICES


def test_only_the_proxy_is_reached_from_outside():
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]


@pytest.mark.parametrize("name", LASTING)
def test_what_lasts_is_watched_ends_in_its_time_and_fills_no_disk(name):
    service = SERVICES[name]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert {"interval", "timeout"} <= set(service["healthcheck"])
    assert service["stop_grace_period"]
    assert {"max-size", "max-file"} <= set(service["logging"]["options"])
    assert service["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", ["gateway", "worker"])
def test_what_may_be_scaled_has_neither_a_name_nor_a_port_of_its_own(name):
    assert not {"container_name", "ports", "networks", "hostname"} & set(SERVICES[name])
    assert SERVICES[name]["volumes"] == ["ca:/var/lib/kubat/ca", "media:/media/kubat"]


def test_the_proxy_leads_to_the_gateways_and_is_the_one_that_is_trusted():
    (name,) = set(re.findall(r"set \$\$gateway (\w+);", NGINX))
    assert SERVICES[name]["command"][2] == "serve"
    assert set(re.findall(r"proxy_pass (\S+);", NGINX)) == {"http://$$gateway:8180"}
    proxy = SERVICES["proxy"]["networks"]["default"]["ipv4_address"]
    assert SERVICES["worker"]["environment"]["CSMS_TRUSTED_PROXIES"] == proxy
    network = COMPOSE["networks"]["default"]["ipam"]["config"][0]["subnet"]
    assert ipaddress.ip_address(proxy) in ipaddress.ip_network(network)


def test_the_proxy_believes_no_header_of_the_client():
    for header in ("X-Forwarded-For", "X-Forwarded-Proto", "X-Client-Cert"):
        assert f"proxy_set_header {header} " in NGINX
    assert not re.search(r"(?<!\$)\$(?!\$)", NGINX), "Compose would replace a single dollar"


def test_the_image_copies_and_runs_what_exists():
    assert (BASE / "requirements.txt").exists()
    assert "COPY requirements.txt ." in DOCKERFILE
    assert 'CMD ["python", "manage.py", "serve"]' in DOCKERFILE
    assert "USER kubat" in DOCKERFILE


def test_the_image_owns_what_is_mounted_into_it():
    """A new volume takes its owner from the directory of the image."""
    mounted = {mount.split(":")[1] for name in OURS for mount in SERVICES[name]["volumes"]}
    assert mounted <= set(re.findall(r"/[\w/]+", DOCKERFILE))


def test_no_key_is_in_the_compose_file():
    """What ends TLS is made at the first start, another for each installation."""
    assert "PRIVATE KEY" not in (BASE / "docker-compose.yml").read_text()
    assert SERVICES["keys"]["command"][2:] == ["proxy_keys", "/var/lib/kubat/tls"]
    assert "tls:/var/lib/kubat/tls" in SERVICES["keys"]["volumes"]
    assert "tls:/etc/nginx/keys" in SERVICES["proxy"]["volumes"]


def test_no_secret_is_copied_into_the_image():
    ignored = (BASE / ".dockerignore").read_text().split()
    assert {".*", "*.sqlite3*", "*.secret"} <= set(ignored)
