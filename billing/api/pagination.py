"""How every list is cut into pages."""

from rest_framework.pagination import PageNumberPagination

from ..pages import BoundedPaginator


class ListPaginator(BoundedPaginator):
    bound = 100_000


class Pages(PageNumberPagination):
    """`{count, next, previous, results}`; `page` counts from 1, `page_size` is at most 500.

    `count` is exact up to 100,000; of a longer list it is 100,001, and `next` leads to its end.
    """

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500
    django_paginator_class = ListPaginator
