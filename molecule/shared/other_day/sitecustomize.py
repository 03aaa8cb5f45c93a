# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python reads this when it starts, where PYTHONPATH leads here: the clock is off by OTHER_DAY days, in child processes too."""

import datetime
import os

import time_machine

time_machine.travel(datetime.timedelta(days=int(os.environ["OTHER_DAY"]))).start()
