"""Where large temporary files go."""

from __future__ import annotations

import os
import tempfile


def roomy_folder() -> str:
    """A folder with room for large temporary files: not /tmp, which is memory on many machines."""
    return "/var/tmp" if os.access("/var/tmp", os.W_OK) and "TMPDIR" not in os.environ else tempfile.gettempdir()
