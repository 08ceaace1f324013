"""Pages of lists that may be long: counted up to a bound, because counting reads every row."""

from typing import Any

from django.core.paginator import EmptyPage, Page, PageNotAnInteger, Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property


class LongPage(Page):  # type: ignore[type-arg]  # not generic when it runs
    """A page of a list whose end is not known: it has looked one row ahead."""

    has_more = False

    def has_next(self) -> bool:
        return self.has_more


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # not generic when it runs
    """Counts exactly up to `bound`; what is longer has the count `bound` + 1.

    Every row of a longer list is still reached by going from page to page.
    """

    bound = 10_000

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        if isinstance(rows, QuerySet):
            return rows.order_by()[: self.bound + 1].count()
        return len(rows)

    def validate_number(self, number: int | float | str) -> int:
        return super().validate_number(number) if self.count <= self.bound else _whole(number)

    def page(self, number: int | str) -> Page[Any]:
        if self.count <= self.bound:
            return super().page(number)
        at = self.validate_number(number)
        begin = (at - 1) * self.per_page
        rows = list(self.object_list[begin : begin + self.per_page + 1])
        if not rows:
            raise EmptyPage("There are no rows on that page.")
        page = LongPage(rows[: self.per_page], at, self)
        page.has_more = len(rows) > self.per_page
        return page


def _whole(number: int | float | str) -> int:
    try:
        at = int(number)
    except ValueError:
        raise PageNotAnInteger("A page is a whole number.") from None
    if at < 1:
        raise EmptyPage("Pages count from 1.")
    return at
