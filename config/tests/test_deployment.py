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
TLS = yaml.safe_load((BASE / "docker-compose.tls.yml").read_text())
NGINX = "".join(each["content"] for each in (COMPOSE["configs"] | TLS["configs"]).values())
DOCKERFILE = (BASE / "Dockerfile").read_text()


def test_each_role_is_run():
    roles = [SERVICES[name]["command"][2] for name in OURS]
    assert sorted(roles) == ["migrate", "serve", "serve", "worker"]


@pytest.mark.parametrize("name", OURS)
def test_a_service_of_ours_runs_a_command_that_exists(name):
    python, file, command = SERVICES[name]["command"]
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


def test_the_proxy_leads_to_every_server_and_is_the_one_that_is_trusted():
    servers = {name for name in OURS if SERVICES[name]["command"][2] == "serve"}
    assert set(re.findall(r"server (\S+):8180;", NGINX)) == servers
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


def test_no_secret_is_copied_into_the_image():
    ignored = (BASE / ".dockerignore").read_text().split()
    assert {".*", "*.sqlite3*", "*.secret"} <= set(ignored)
