# SPDX-License-Identifier: Apache-2.0
"""What a node writes to stderr: lines for people, or JSON for collectors.

Nothing secret is ever handed to a logger. Two libraries would name full addresses of endpoints,
which often end in a key; they are kept quiet here.
"""

import json
import logging
import sys
from datetime import UTC, datetime

_TALKATIVE = ("httpx", "httpcore", "urllib3", "web3")


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, text, and `kind` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        entry = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "text": record.getMessage(),
        }
        if kind := getattr(record, "kind", None):
            entry["kind"] = kind
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


class LineFormatter(logging.Formatter):
    """A line for people."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, with a traceback behind it if there is one."""
        line = f"{_time(record)} {record.levelname.lower():7} {record.getMessage()}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def set_up_logs(*, as_json: bool) -> None:
    """Log to stderr, for a process that is a node."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if as_json else LineFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
