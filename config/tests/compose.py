"""The services of docker-compose.yml as plain processes: the same commands, the same environment.

Only what a container would give is replaced: the names of hosts, ports and directories.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from .server import ROOT

FILE = ROOT / "docker-compose.yml"
GRACE_DEFAULT_S = 10
VARIABLE = re.compile(r"\$\{(\w+)[^}]*\}")


class Compose:
    """Runs and checks services; `places` says what stands for what a container would give."""

    def __init__(self, directory: Path, variables: Mapping[str, str]) -> None:
        self.directory = directory
        self.variables = dict(variables)
        self.services: dict[str, Any] = yaml.safe_load(FILE.read_text())["services"]
        self.places: dict[str, str] = {
            "/var/lib/kubat": str(directory / "lib"),
            "/media/kubat": str(directory / "media"),
            "/tmp/worker.alive": str(directory / "worker.alive"),
            "172.31.180.10": "127.0.0.1",
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def command(self, service: str) -> list[str]:
        return self._here(self.services[service]["command"])

    def environment(self, service: str) -> dict[str, str]:
        """What a container would have: its own, and for ours the `.env` file."""
        described = self.services[service]
        environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
        if "env_file" in described:
            environment |= self.variables
        for name, text in described.get("environment", {}).items():
            filled = VARIABLE.sub(lambda found: self.variables[found[1]], text)
            environment[name] = self._here([filled])[0]
        return environment

    def run(self, service: str, *arguments: str) -> str:
        """Run a service, or another of our commands in its place, to its end."""
        command = ["manage.py", *arguments] if arguments else self.command(service)[1:]
        done = subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env=self.environment(service),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, service: str, name: str, *options: str) -> None:
        """Start a service; `options` say where it listens, where a container needs no word."""
        with self.log_path(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, *self.command(service)[1:], *options],
                cwd=ROOT,
                env=self.environment(service),
                stdout=log,
                stderr=log,
            )

    def stop(self, service: str, name: str) -> int:
        """End a process as the engine does; return its exit code. Fails beyond its grace."""
        described = self.services[service]
        process = self.processes.pop(name)
        process.send_signal(signal.Signals[described.get("stop_signal", "SIGTERM")])
        return process.wait(self.grace_s(service))

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def kill_all(self) -> None:
        for name in list(self.processes):
            self.kill(name)

    def grace_s(self, service: str) -> int:
        text = self.services[service].get("stop_grace_period", f"{GRACE_DEFAULT_S}s")
        return int(text.removesuffix("s"))

    def is_healthy(self, service: str, **places: str) -> bool:
        """Run a service's health check; `places` replaces more than the others."""
        check = self.services[service]["healthcheck"]
        kind, *command = check["test"]
        assert kind == "CMD"
        timeout_s = int(check["timeout"].removesuffix("s"))
        command = self._here(command, places)
        if command[0] == "python":
            command[0] = sys.executable
        try:
            return not subprocess.run(command, capture_output=True, timeout=timeout_s).returncode
        except subprocess.TimeoutExpired:
            return False

    def log_path(self, name: str) -> Path:
        return self.directory / f"{name}.log"

    def _here(self, words: list[str], more: Mapping[str, str] | None = None) -> list[str]:
        places = {**self.places, **(more or {})}
        longest_first = sorted(places, key=len, reverse=True)
        pattern = re.compile("|".join(map(re.escape, longest_first)))
        return [pattern.sub(lambda found: places[found[0]], word) for word in words]
