"""What all tests share: one thread each, and no bars among the results."""

from __future__ import annotations

import os

# before torch is imported: two-layer models lose more to waiting for each other than they gain from a second core
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TQDM_DISABLE", "1")
