"""One process of a storm: random operations on whatever rows there are, until it is killed.

`python -m sessions_app.tests.storm SEED` prints a dot an operation. Its database is DATABASE_URL.
"""

import datetime as dt
import os
import random
import sys
from decimal import Decimal

import django


def main(seed: int) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    storm = Storm(random.Random(seed))
    while True:
        storm.blow()
        sys.stdout.write(".")
        sys.stdout.flush()


class Storm:
    """Does one random thing after the other; what a use case refuses is as good as done."""

    def __init__(self, dice: random.Random):
        self.dice, self.follower = dice, None
        self.acts = (
            [self.ask] * 6
            + [self.carry] * 8
            + [self.begin] * 6
            + [self.begin_by_card] * 2
            + [self.sample] * 10
            + [self.end] * 7
            + [self.stop] * 3
            + [self.top_up] * 3
            + [self.confirm_again, self.refund, self.force_end, self.expire, self.flap]
        )

    def blow(self):
        from billing.errors import KubatError

        try:
            self.dice.choice(self.acts)()
        except KubatError:
            return

    def stage(self):
        from sessions_app.tests.follower import Follower
        from sessions_app.tests.stage import Stage
        from stations.models import Station

        stage = Stage.__new__(Stage)
        stage.station = self.one(Station.objects.select_related("owner"))
        stage.now = dt.datetime.now(dt.UTC)
        stage.follower = self.follower = self.follower or Follower()
        stage.register_wh = Decimal(self.dice.randrange(1_000, 90_000))
        return stage

    def one(self, rows):
        """A random row of the newest fifty."""
        return self.dice.choice(list(rows.order_by("-pk")[:50]) or [None])

    def session(self, stage):
        rows = stage.station.sessions.order_by("-requested_at")[:6]
        return self.dice.choice(list(rows) or [None])

    def driver(self):
        from billing.models import User

        return self.one(User.objects.filter(is_staff=False))

    def staff(self):
        from billing.models import User

        return User.objects.filter(is_staff=True).first()

    def ask(self):
        kind, value = self.dice.choice([("amount", 50), ("energy", 3), ("full", None)])
        self.stage().ask(self.driver(), kind, value, connector_id=None, max_amount=200)

    def carry(self):
        stage = self.stage()
        command = stage.take_command()
        if command:
            stage.answer(command, self.dice.choice(["Accepted"] * 5 + ["Rejected"]))

    def begin(self):
        stage = self.stage()
        session = self.session(stage)
        if session and session.id_tag:
            stage.begin(session, connector_id=session.connector_id)
            if self.dice.random() < 0.5:
                stage.repeat_begin(session.id_tag, connector_id=session.connector_id)

    def begin_by_card(self):
        stage = self.stage()
        stage.begin(f"CARD{self.dice.randrange(4)}", connector_id=self.dice.choice([1, 2]))

    def sample(self):
        stage = self.stage()
        session = self.session(stage)
        if session and session.transaction_id:
            stage.sample(session.transaction_id, connector_id=session.connector_id)

    def end(self):
        stage = self.stage()
        session = self.session(stage)
        if session and session.transaction_id:
            for _ in range(self.dice.choice([1, 1, 2])):
                stage.end(session.transaction_id)

    def stop(self):
        stage = self.stage()
        session = self.session(stage)
        if session:
            stage.stop(session, self.staff())

    def force_end(self):
        from sessions_app.services import stop

        session = self.session(self.stage())
        if session:
            meter = self.dice.randrange(1_000, 90_000)
            stop.force_end(
                session_id=session.pk, meter_stop_wh=meter, actor=self.staff(), reason="storm"
            )

    def top_up(self):
        from billing.money import Minor
        from billing.payments import topups

        topups.request_top_up(
            user=self.driver(),
            amount=Minor(self.dice.randrange(1, 20_000)),
            provider="manual",
            made_by=self.staff(),
            reason="storm",
        )

    def confirm_again(self):
        from billing.models import Payment
        from billing.payments import topups

        topups.confirm(self.one(Payment.objects.all()).pk)

    def refund(self):
        from billing.models import Payment
        from billing.money import Minor
        from billing.payments import returns

        payment = self.one(Payment.objects.all())
        returns.pay_out(user=payment.user, amount=Minor(100), reason="storm", made_by=self.staff())

    def expire(self):
        from sessions_app.services import expire

        ahead = self.dice.choice([0, 10, 120, 400, 4_000])
        expire.run_due(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=ahead))

    def flap(self):
        self.stage().reconnect()


if __name__ == "__main__":
    main(int(sys.argv[1]))
