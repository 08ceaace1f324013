"""Static files are served from where they lie: nothing has to be collected."""

import pytest

pytestmark = pytest.mark.django_db


def test_the_icon_of_the_pages_is_served(client):
    response = client.get("/static/icon.svg")
    assert response.status_code == 200
    assert response["Content-Type"] == "image/svg+xml"
    response.close()


def test_the_back_office_shows_the_icon(client):
    assert 'href="/static/icon.svg"' in client.get("/admin/login/").content.decode()


def test_the_back_office_has_a_style_of_its_own(client):
    assert 'href="/static/admin.css"' in client.get("/admin/login/").content.decode()
    response = client.get("/static/admin.css")
    assert response["Content-Type"].startswith("text/css")
    response.close()
