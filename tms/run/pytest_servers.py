"""A pytest plugin (`-p tms.run.pytest_servers`): servers before Django reads its settings.

Plugins named with `-p` load before any conftest, so the settings already see the temporary
home. Workers of the same run inherit the environment and use the controller's servers.
"""

from tms.run.ephemeral import servers_for_tests

ADDRESSES = servers_for_tests()
