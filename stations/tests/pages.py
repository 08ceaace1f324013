"""Addresses of the back office that tests of stations press."""

from django.urls import reverse

STATIONS = reverse("admin:stations_station_changelist")


def button(station, name):
    return f"{STATIONS}{station.pk}/{name}/"
