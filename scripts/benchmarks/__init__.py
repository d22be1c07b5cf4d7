"""What `scripts/benchmark.py` measures: each module enters its rows when it is imported."""
