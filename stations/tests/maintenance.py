"""What tests of firmware and logs share: an image, a campaign, and a station that tells."""

from asgiref.sync import async_to_sync
from django.utils import timezone

from sessions_app.services import calls, firmware
from stations.firmware import campaigns, images, progress
from stations.models import FirmwareReport, FirmwareUpdate, LogRequest, ReceivedFile
from stations.progress import Progress
from stations.reports import Boot, record_boot

PUBLIC = "https://kubat.example.org"
BYTES = bytes(range(256)) * 1000
MAKE = images.Make("2.0", "Acme", "One")


def add_image(olga, *, file=BYTES, **more):
    upload = images.Upload("fw 2.0.bin", [file]) if file is not None else None
    return images.add_image(
        **{"make": MAKE, "file": upload, "by": olga, "reason": "new release", **more}
    )


def plan(olga, image, *stations, **pace):
    return campaigns.plan_campaign(
        name="Spring",
        image=image,
        group={"stations": stations},
        pace=pace,
        by=olga,
        reason="security fix",
    )


def beat(now=None):
    """What the worker does about every two seconds."""
    firmware.run_due(now or timezone.now())


def update_of(station):
    return FirmwareUpdate.objects.select_related("campaign", "command").get(station=station)


def tell(station, *statuses, request_id=None, at=None):
    """Let a station send statuses of firmware, one after the other."""
    for status in statuses:
        station.refresh_from_db()
        said = Progress(status, at or timezone.now(), request_id)
        progress.record_status(station=station, said=said)


def boot(station, version="2.0"):
    fact = Boot("Acme", "One", firmware_version=version)
    record_boot(station_pk=station.pk, boot=fact, received_at=timezone.now())


def take(station):
    """Send the next command to a station; return its row."""
    return calls.claim(station_pk=station.pk, fence=station.fence)


def reported(station):
    report = FirmwareReport.objects.filter(station=station).first()
    return report.status if report else None


def body_of(answer):
    """The bytes of an answer that is streamed."""

    async def collect():
        return b"".join([piece async for piece in answer.streaming_content])

    return async_to_sync(collect)()


def leave_traces(station, olga):
    """At least one row of each kind, without a file on disk."""
    plan(olga, add_image(olga, file=None, uri="ftp://acme.example/fw.bin"), station)
    tell(station, "Idle")
    request = LogRequest.objects.create(
        station=station, kind="SecurityLog", requested_by=olga, expires_at=timezone.now()
    )
    ReceivedFile.objects.create(request=request, name="s.log", path="", size_bytes=0)
