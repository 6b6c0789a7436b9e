"""The same file under a second name: what did not change is not written again."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

# File systems without hard links, other devices, too many links, and a kernel that links own files only.
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EXDEV, errno.EMLINK, errno.ENOSYS, errno.EACCES)


def link_or_copy(source: Path, target: Path) -> None:
    """Gives the file `source` the name `target` too, or copies it where the file system has no hard links.

    Whoever changes one of the two must write a new file and rename it, as everything in a lake does.
    """
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copyfile(source, target)
