"""Each technique beside its plain version; see ``run.py``. The plain versions are also what the tests compare with."""
