"""How every list is cut into pages."""

from rest_framework.pagination import PageNumberPagination


class Pages(PageNumberPagination):
    """`{count, next, previous, results}`; `page` counts from 1, `page_size` is at most 500."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500
