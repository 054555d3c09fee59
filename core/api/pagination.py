"""Cursor pages: stable under inserts, newest first (ids are time-ordered)."""

from rest_framework.pagination import CursorPagination


class NewestFirst(CursorPagination):
    """The API's page: 50 rows, 200 at the most, ordered by id descending."""

    page_size = 50
    max_page_size = 200
    page_size_query_param = "limit"
    ordering = "-id"
