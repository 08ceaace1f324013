"""Judge the import rules of pyproject.toml, and prove that each can be broken.

It runs in a process of its own, `python -m config.tests.architecture`, and prints JSON: where
Daphne's libraries are loaded, import-linter's contracts trip over what those add to classes.
"""

import copy
import json
import sys
from pathlib import Path

import grimp
from importlinter.api import read_configuration
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.independence import IndependenceContract
from importlinter.contracts.layers import LayersContract
from importlinter.contracts.protected import ProtectedContract

PYPROJECT = Path(__file__).resolve().parent.parent.parent / "pyproject.toml"
TYPES = {
    "layers": LayersContract,
    "forbidden": ForbiddenContract,
    "independence": IndependenceContract,
    "protected": ProtectedContract,
}
FAULTS = {
    "houses": [
        "billing.ledger -> stations.models.station",
        "billing.api.people -> sessions_app.models",
        "stations.commands -> sessions_app.services.calls",
        "stations.models.station -> sessions_app.models",
        "sessions_app.services.meter -> config.worker",
    ],
    "sessions": [
        "sessions_app.services.meter -> sessions_app.api.serializers",
        "sessions_app.models.session -> sessions_app.services.settle",
    ],
    "models": ["billing.models.account -> billing.ledger"],
    "edges": [
        "stations.commands -> stations.gateway.wire",
        "billing.ledger -> billing.api.fields",
    ],
    "pure": [
        "billing.pricing.tally -> django",
        "billing.money -> billing.models.account",
        "sessions_app.facts -> django",
    ],
    "ocpp": ["stations.commands -> ocpp", "sessions_app.services.start -> ocpp"],
    "channels": ["billing.outbox -> channels"],
    "traces": ["sessions_app.services.steps -> opentelemetry"],
    "http": ["sessions_app.services.start -> rest_framework"],
    "sides": ["stations.simulator.wire -> stations.gateway.wire"],
}


class Judge:
    """The configured rules over the imports as they are."""

    def __init__(self):
        configuration = read_configuration(str(PYPROJECT))
        self.session = configuration["session_options"]
        self.rules = {options["id"]: options for options in configuration["contracts_options"]}
        self.imports = grimp.build_graph(
            *self.session["root_packages"], include_external_packages=True, cache_dir=None
        )

    def is_kept(self, rule, fault=""):
        """Whether a rule is kept, with one more import if `fault` names one."""
        imports = copy.deepcopy(self.imports)
        if fault:
            importer, imported = fault.split(" -> ")
            assert {importer, imported} <= imports.modules, fault
            imports.add_import(importer=importer, imported=imported)
        options = self.rules[rule]
        contract = TYPES[options["type"]](options["name"], self.session, options)
        return contract.check(imports, verbose=False).kept


def main():
    judge = Judge()
    verdicts = {
        rule: {
            "is_kept": judge.is_kept(rule),
            "unseen_faults": [
                fault for fault in FAULTS.get(rule, []) if judge.is_kept(rule, fault)
            ],
        }
        for rule in judge.rules
    }
    json.dump(verdicts, sys.stdout)


if __name__ == "__main__":
    main()
