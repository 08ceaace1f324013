"""Pages of lists that are too long to count."""

import pytest
from django.core.paginator import InvalidPage

from billing import ledger
from billing.api.pagination import ListPaginator
from billing.models import Tariff
from billing.money import Minor
from billing.pages import BoundedPaginator
from billing.tests.web import signed_in

pytestmark = pytest.mark.django_db


class Short(BoundedPaginator):
    bound = 4


@pytest.fixture
def rows():
    Tariff.objects.bulk_create(Tariff(currency="KGS", price_per_kwh=n) for n in range(1, 8))
    return Tariff.objects.order_by("pk")


def test_a_list_within_the_bound_is_counted_exactly(rows):
    few = Short(rows.filter(price_per_kwh__lte=4), 3)
    assert (few.count, few.num_pages) == (4, 2)
    assert few.page(1).has_next()
    assert not few.page(2).has_next()


def test_a_longer_list_is_counted_to_the_bound_by_a_query_with_that_limit(
    rows, django_assert_num_queries
):
    with django_assert_num_queries(1) as queries:
        assert Short(rows, 3).count == 5
    assert "LIMIT 5" in queries.captured_queries[0]["sql"]


def test_every_row_of_a_longer_list_is_reached_by_its_pages(rows):
    pages, number = Short(rows, 3), 1
    found = list(pages.page(1))
    while pages.page(number).has_next():
        number += 1
        found += pages.page(number)
    assert found == list(rows)
    assert number == 3


@pytest.mark.parametrize("number", [4, 0, -1, "x", ""])
def test_there_is_no_other_page(rows, number):
    with pytest.raises(InvalidPage):
        Short(rows, 3).page(number)


def test_a_list_that_is_no_query_is_counted():
    assert Short(list(range(3)), 2).count == 3


def test_the_api_leads_to_the_end_of_a_list_that_it_does_not_count(alice, monkeypatch):
    monkeypatch.setattr(ListPaginator, "bound", 1)
    account = ledger.account_of(alice)
    for number in range(3):
        key = f"h{number}"
        ledger.hold(key=key, account=account, amount=Minor(100), reference=f"x:{number}")
    client, path, seen = signed_in(alice), "/billing/transfers?page_size=1", []
    while path:
        answer = client.get(path).json()
        assert set(answer) == {"count", "next", "previous", "results"}
        assert answer["count"] == 2
        seen += [row["id"] for row in answer["results"]]
        path = answer["next"]
    assert len(set(seen)) == 4
    assert client.get("/billing/transfers?page_size=1&page=5").status_code == 404
