"""Python imports this at start when this folder is on its path: it writes down which files the process opens."""

import os
import sys

if "OPENED_LOG" in os.environ:
    _LOG = os.open(os.environ["OPENED_LOG"], os.O_WRONLY | os.O_APPEND)

    def _tell(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str | bytes):
            os.write(_LOG, os.fsencode(arguments[0]) + b"\n")

    sys.addaudithook(_tell)
