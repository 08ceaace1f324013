"""The README's first steps, typed as they stand there: a stranger gets to a paid charge."""

import re
import shutil
import subprocess
import sys

import pytest
from django.conf import settings

from .server import ServerProcess

README = (settings.BASE_DIR / "README.md").read_text()
CHAPTER = "## From registration to a paid charge"
ENOUGH_S = 180
STATION_IS_ONLINE = "curl -s $API/metrics | grep -q '^kubat_stations_online 1'"
SESSION_IS_OVER = (
    'curl -s $API/ocpp/sessions/$SESSION -H "Authorization: Bearer $DRIVER" | grep -q completed'
)


@pytest.mark.e2e
def test_the_first_steps_of_the_readme_end_in_a_paid_charge(tmp_path):
    assert shutil.which("curl"), "the README calls curl"
    chapter = README.split(CHAPTER)[1].split("\n## ")[0]
    operator, prices, station, driver = re.findall(r"```sh\n(.*?)```", chapter, re.DOTALL)
    with ServerProcess.on_sqlite(tmp_path) as server:
        steps = [
            operator.replace("python3 run.py serve\n", ""),
            prices,
            # Of an option that is given twice the last counts; at this speed one sample is enough.
            f"{station.strip()} --speed 60 --url {server.ws_url('')} >&2 & trap 'kill %1' EXIT",
            f"until {STATION_IS_ONLINE}; do sleep 0.1; done",
            driver,
            f"until {SESSION_IS_OVER}; do sleep 0.2; done",
            'curl -sS $API/billing/balance -H "Authorization: Bearer $DRIVER"',
        ]
        script = "\n".join(steps)
        script = script.replace("python3 run.py manage", f"{sys.executable} manage.py")
        script = script.replace("http://127.0.0.1:8180", server.base_url)
        done = subprocess.run(
            ["bash", "-ec", script],
            cwd=settings.BASE_DIR,
            env=server.environment,
            capture_output=True,
            text=True,
            timeout=ENOUGH_S,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(
        '{"balance":"950.00","held":"0.00","available":"950.00","currency":"KGS"}'
    )
