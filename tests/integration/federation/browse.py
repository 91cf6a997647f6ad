"""Stands for the browser that a program opens: logs in at the URL that it is given, as `$LOGIN`."""

from __future__ import annotations

import os
import sys

from tests.peers.openid import Browser

Browser().log_in(sys.argv[1], os.environ["LOGIN"])
