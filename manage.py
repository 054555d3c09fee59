#!/usr/bin/env python
"""Django's command line for this project."""

import os
import sys


def main() -> None:
    """Run a management command; `migrate` and its kin run as the owner role."""
    if len(sys.argv) > 1 and sys.argv[1] in {"migrate", "makemigrations", "sqlmigrate"}:
        os.environ.setdefault("TMS_DB_ROLE", "owner")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tms.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
